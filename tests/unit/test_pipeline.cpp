// Whole pipelines of probe plugins, in process.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "pipeline.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

struct Run {
  explicit Run(const std::string& body, const std::string& journal = "mode = \"memory\"") {
    std::ofstream(folder.path() / "agent.toml")
        << "[agent]\ndata_dir = \"" << (folder.path() / "data").string() << "\"\n[journal]\n"
        << journal << "\n"
        << body;
    Problems problems((folder.path() / "agent.toml").string());
    config = load_config(folder.path() / "agent.toml", {HBAGENT_TEST_PLUGINS}, catalog, problems);
    if (config == nullptr) throw std::runtime_error(problems.lines().front());
    pipeline = std::make_unique<Pipeline>(std::shared_ptr<const Config>(std::shared_ptr<void>(), config.get()), logger);
  }

  bool start() {
    Problems problems("test");
    const bool good = pipeline->start(problems);
    start_problems = problems.lines();
    return good;
  }
  // Runs to the end of all sources and stops.
  Pipeline::View to_end() {
    REQUIRE(start());
    CHECK(pipeline->wait([] { return false; }) == Pipeline::Outcome::all_done);
    CHECK(pipeline->stop(Pipeline::within(std::chrono::microseconds::max())));
    return balanced_view();
  }
  Pipeline::View balanced_view() const {
    const auto view = pipeline->view();
    for (const auto& source : view.sources) CHECK(source.terms.balanced());
    for (const auto& sink : view.sinks) CHECK(sink.terms.balanced());
    return view;
  }
  // Waits until `condition` holds for the view.
  template <class Condition>
  void until(Condition condition) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition(pipeline->view())) {
      if (std::chrono::steady_clock::now() > deadline) FAIL("the condition did not come true within 30 s");
      std::this_thread::yield();
    }
  }
  std::vector<std::int64_t> lines(const std::string& name) const {
    std::vector<std::int64_t> all;
    std::ifstream in(folder.path() / name);
    for (std::int64_t each = 0; in >> each;) all.push_back(each);
    return all;
  }
  std::vector<nlohmann::json> letters() const {
    std::vector<nlohmann::json> all;
    std::ifstream in(folder.path() / "data" / "dead-letters.jsonl");
    for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }

  TemporaryFolder folder;
  Logger logger{LogFormat::text, LogLevel::error};
  std::unique_ptr<PluginCatalog> catalog;
  std::unique_ptr<Config> config;
  std::unique_ptr<Pipeline> pipeline;
  std::vector<std::string> start_problems;
};

std::vector<std::int64_t> counting(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::string output_path() {
  static const TemporaryFolder folder;
  static int number = 0;
  return (folder.path() / std::to_string(++number)).string();
}

std::vector<std::int64_t> times_in(const std::string& path) {
  std::vector<std::int64_t> all;
  std::ifstream in(path);
  for (std::int64_t each = 0; in >> each;) all.push_back(each);
  return all;
}

std::string source(const std::string& more = "") {
  return "[[source]]\nplugin = \"probe\"\n" + more + "\n";
}
std::string processor(const std::string& more) {
  return "[[processor]]\nplugin = \"probe\"\n" + more + "\n";
}
std::string sink(const std::string& name, const std::string& more) {
  return "[[sink]]\nplugin = \"probe\"\nname = \"" + name + "\"\nretry_initial = \"1ms\"\nretry_max = \"2ms\"\n" +
         more + "\n";
}
std::string into(const std::string& path) {
  return "path = \"" + path + "\"\n";
}

}  // namespace

TEST_CASE("every reading reaches every sink once and in order, and the source sees it acked") {
  const std::string one = output_path(), two = output_path();
  Run run(source("count = 20000") + sink("a", into(one)) + sink("b", into(two) + "batch_size = 7"));
  const auto view = run.to_end();
  CHECK(times_in(one) == counting(20000));
  CHECK(times_in(two) == counting(20000));
  CHECK(view.sources[0].status.gauges.at("acked_token") == 200);
  CHECK(view.sources[0].status.state == Instance::State::finished);
  CHECK(view.sinks[0].terms.delivered == 20000);
}

TEST_CASE("a sink that fails is retried with nothing lost, doubled or out of order") {
  const std::string path = output_path();
  Run run(source("count = 5000") + sink("s", into(path) + "failures = 3\nopen_failures = 2\nreopens = 2"));
  const auto view = run.to_end();
  CHECK(times_in(path) == counting(5000));
  CHECK(view.sinks[0].status.retries == 7);
  CHECK(view.sinks[0].status.gauges.at("opens") == 5);
  CHECK(view.sinks[0].terms.rejected.empty());  // verdicts of a failed write do not count
}

TEST_CASE("one bad reading never costs its neighbours") {
  const std::string path = output_path();
  Run run(source("count = 1000") + sink("s", into(path) + "reject_every = 100\nretry_every = 7\nduplicate_every = 11"));
  const auto view = run.to_end();
  auto delivered = times_in(path);
  std::sort(delivered.begin(), delivered.end());
  std::vector<std::int64_t> wanted;
  for (const std::int64_t each : counting(1000)) {
    if (each % 100 != 0) wanted.push_back(each);
  }
  CHECK(delivered == wanted);
  CHECK(view.sinks[0].terms.rejected.at("check_violation") == 10);
  CHECK(view.sinks[0].terms.duplicate == 90);  // multiples of 11 below 1000 that are none of 100
  const auto letters = run.letters();
  REQUIRE(letters.size() == 10);
  CHECK(letters[3]["source"] == "probe");
  CHECK(letters[3]["instance"] == "sink/s");
  CHECK(letters[3]["detail"] == "SQLSTATE 23514");
  CHECK(nlohmann::json::parse(letters[3]["payload"].get<std::string>())["time"] == "1970-01-01T00:00:00.000300Z");
}

TEST_CASE("what a source refuses is counted by reason and kept as a dead letter") {
  const std::string name = "a-name-that-no-short-string-holds";
  Run run(source("name = \"" + name + "\"\ncount = 1000\ndiscard_every = 2\ndead_letter_every = 5") + sink("s", ""));
  const auto view = run.to_end();
  CHECK(view.sources[0].terms.discarded.at("zero_bpm") == 10);
  CHECK(view.sources[0].terms.dead_lettered.at("bad_json") == 2);
  CHECK(view.sources[0].terms.received == 1012);
  const auto letters = run.letters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[1]["source"] == name);
  CHECK(letters[1]["instance"] == "source/" + name);
  CHECK(letters[1]["origin"] == "probe");
  CHECK(letters[1]["payload"] == "{");
}

TEST_CASE("processors remove and add, and the ledger still balances") {
  const std::string path = output_path();
  Run run(source("count = 1000") +
          processor("discard_every = 10\nreject_every = 15\nadd_every = 4\nfailures = 3\nspoil_before_failure = true") +
          sink("s", into(path)));
  const auto view = run.to_end();
  const auto& terms = view.sources[0].terms;
  CHECK(terms.received == 1000);
  CHECK(terms.dead_lettered.at("out_of_range") == 67);  // the later verdict on the same reading holds
  CHECK(terms.removed.at("thinned") == 100 - 34);
  CHECK_FALSE(terms.dead_lettered.contains("never_counts"));
  CHECK(terms.added == 3);
  CHECK(terms.journaled == 1000 - 67 - 66 + 3);
  CHECK(times_in(path).size() == terms.journaled);
  CHECK(view.sources[0].processors[0].status.retries == 3);
}

TEST_CASE("a processor that asks to be opened again works only once it is open") {
  const std::string path = output_path();
  Run run(source("count = 1000") + processor("failures = 1\nreopen = true\nopen_failures = 2") + sink("s", into(path)));
  const auto view = run.to_end();
  CHECK(times_in(path) == counting(1000));
  CHECK(view.sources[0].processors[0].status.retries == 3);
}

TEST_CASE("a dead sink holds up nobody until the bound is reached") {
  const std::string path = output_path();
  Run run(source("count = 2000\nfinish = false") + sink("dead", "dead = true") + sink("live", into(path)));
  REQUIRE(run.start());
  run.until([](const auto& view) { return view.sinks[1].terms.delivered == 2000 && view.sinks[0].status.retries > 0; });
  CHECK(times_in(path) == counting(2000));
  const auto view = run.balanced_view();
  CHECK(view.sinks[0].terms.pending == 2000);
  CHECK_FALSE(run.pipeline->not_ready().empty());

  CHECK(run.pipeline->stop(Pipeline::within(std::chrono::milliseconds(50))));
  const auto after = run.balanced_view();
  CHECK(after.sinks[0].terms.pending == 2000);
  CHECK(after.sources[0].status.gauges.at("acked_token") == 0);  // nothing is safe: one sink has nothing
}

TEST_CASE("a full journal blocks the source, and a stop frees it") {
  Run run(source("count = 100000\nfinish = false") + sink("dead", "dead = true"),
          "mode = \"memory\"\nmax_size = \"256KiB\"");
  REQUIRE(run.start());
  run.until([](const auto& view) { return view.sinks[0].terms.journaled >= 3000; });
  CHECK(run.pipeline->stop(Pipeline::within(std::chrono::milliseconds(20))));
  const auto view = run.balanced_view();
  CHECK(view.sinks[0].terms.journaled < 100000);
  CHECK(view.journal.used_bytes <= view.journal.max_bytes);
}

TEST_CASE("drop_oldest keeps the source going and counts what is lost") {
  Run run(source("count = 100000\nfinish = false") + sink("dead", "dead = true"),
          "mode = \"memory\"\nmax_size = \"256KiB\"\nwhen_full = \"drop_oldest\"");
  REQUIRE(run.start());
  run.until([](const auto& view) { return view.sinks[0].terms.journaled == 100000; });
  CHECK(run.pipeline->stop(Pipeline::within(std::chrono::milliseconds(20))));
  const auto view = run.balanced_view();
  CHECK(view.sinks[0].terms.dropped > 90000);
}

TEST_CASE("a delay is never negative, also where receive times run ahead of the clock") {
  for (const char* ahead : {"0s", "1h"}) {
    Run run(source("count = 100\nahead = \"" + std::string(ahead) + "\"") + sink("s", into(output_path())));
    const double delay = run.to_end().sinks[0].progress.last_delay_seconds;
    CHECK(delay >= 0);
    CHECK((delay == 0) == (std::string(ahead) == "1h"));
  }
}

TEST_CASE("from and where route readings") {
  const std::string flagged = output_path(), second = output_path();
  Run run(source("name = \"one\"\ncount = 100\nflag_every = 10") + source("name = \"two\"\ncount = 50\nfirst = 1000") +
          sink("flagged", into(flagged) + "where = [\"high\", \"low\"]") +
          sink("second", into(second) + "from = [\"two\"]"));
  const auto view = run.to_end();
  CHECK(times_in(flagged).size() == 10);
  CHECK(view.sinks[0].terms.filtered == 140);
  REQUIRE(times_in(second).size() == 50);
  CHECK(times_in(second).front() == 1000);
  CHECK(view.sinks[1].terms.filtered == 100);
}

TEST_CASE("a source that fails is opened again") {
  const std::string path = output_path();
  Run run(source("count = 100\nfailures = 3\nretry_initial = \"1ms\"") + sink("s", into(path)));
  const auto view = run.to_end();
  CHECK(times_in(path) == counting(100));
  CHECK(view.sources[0].status.retries == 3);
  CHECK_THAT(view.sources[0].status.last_error, contains_text("not yet"));
}

TEST_CASE("a stop drains what is pending before the source stores its acks") {
  const std::string path = output_path();
  Run run(source("count = 5000\nfinish = false") +
          sink("s", into(path) + "batch_size = 100000\nbatch_timeout = \"60s\""));
  REQUIRE(run.start());
  run.until([](const auto& view) { return view.sinks[0].terms.journaled == 5000; });
  CHECK(run.pipeline->stop(Pipeline::within(std::chrono::seconds(30))));
  CHECK(times_in(path) == counting(5000));
  const auto view = run.balanced_view();
  CHECK(view.sources[0].status.gauges.at("acked_token") == view.sources[0].status.gauges.at("last_token"));
  CHECK(run.pipeline->pending() == 0);
}

TEST_CASE("a stop drains the others also beside a sink that has failed for good") {
  const std::string path = output_path();
  Run run(source("count = 5000\nfinish = false") + sink("failed", "fail_for_good = true") +
          sink("s", into(path) + "batch_size = 100000\nbatch_timeout = \"60s\""));
  REQUIRE(run.start());
  run.until([](const auto& view) {
    return view.sinks[1].terms.journaled == 5000 && view.sinks[0].status.state == Instance::State::failed;
  });
  CHECK(run.pipeline->stop(Pipeline::within(std::chrono::seconds(30))));
  CHECK(times_in(path) == counting(5000));
  CHECK(run.balanced_view().sinks[0].terms.pending == 5000);
}

TEST_CASE("a sink that fails for good stops alone, and when it was the last the agent ends") {
  Run run(source("count = 100\nfinish = false") + sink("s", "fail_for_good = true"));
  REQUIRE(run.start());
  CHECK(run.pipeline->wait([] { return false; }) == Pipeline::Outcome::nothing_left);
  CHECK(run.pipeline->any_failed());
  CHECK(run.pipeline->stop(Pipeline::within(std::chrono::milliseconds(50))));
  const auto view = run.balanced_view();
  CHECK(view.sinks[0].terms.pending == 100);
  CHECK(view.sinks[0].status.last_error == "wrong password");
}

TEST_CASE("a second signal ends a drain at once") {
  Run run(source("count = 100\nfinish = false") + sink("s", "hang_until_stopped = true"));
  REQUIRE(run.start());
  run.until([](const auto& view) { return view.sinks[0].terms.journaled == 100; });
  const auto begin = std::chrono::steady_clock::now();
  CHECK(run.pipeline->stop([] { return PhaseBoard::Clock::time_point{}; }));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  CHECK(run.balanced_view().sinks[0].terms.pending == 100);
}

TEST_CASE("what a plugin has against its configuration stops the start, with its place") {
  Run run(source("refuse_config = true") + sink("s", ""));
  CHECK_FALSE(run.start());
  REQUIRE(run.start_problems.size() == 1);
  CHECK_THAT(run.start_problems[0], contains_text("source/probe: this configuration is refused"));
}

TEST_CASE("a data_dir serves one agent at a time") {
  Run run(source("") + sink("s", ""));
  CHECK_THROWS_WITH(Pipeline(std::shared_ptr<const Config>(std::shared_ptr<void>(), run.config.get()), run.logger),
                    contains_text("another hbagent uses data_dir"));
}
