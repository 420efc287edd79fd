// Replays within a pipeline of probe plugins: what the commands' tests against real servers do not reach.
#include <chrono>
#include <fstream>
#include <numeric>
#include <thread>

#include "pipeline.hpp"
#include "reading_json.hpp"
#include "replay.hpp"
#include "replay_json.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

using Times = std::vector<std::int64_t>;

constexpr std::int64_t kFirst = 1000;  // the source's own readings have lower times
const std::string kSource = "[[source]]\nplugin = \"probe\"\nfirst = 1\ncount = 10\nfinish = false\n";

std::string processor(const std::string& name, const std::string& more = "") {
  return "[[processor]]\nplugin = \"probe\"\nname = \"" + name + "\"\n" + more + "\n";
}

// A running pipeline, to which letters can be added. Sinks write to files of their names in its folder.
class Run {
 public:
  explicit Run(const std::string& body, const std::vector<std::string>& sinks,
               const std::string& journal = "mode = \"memory\"") {
    std::string text = "[agent]\ndata_dir = \"" + path("data") + "\"\n[journal]\n" + journal + "\n" + body;
    for (const std::string& each : sinks) {
      const std::string name = each.substr(0, each.find('\n'));
      text += "[[sink]]\nplugin = \"probe\"\nretry_initial = \"1ms\"\nretry_max = \"2ms\"\npath = \"" + path(name) +
              "\"\nname = \"" + name + "\"\n" + each.substr(name.size()) + "\n";
    }
    std::ofstream(path("agent.toml")) << text;
    Problems problems(path("agent.toml"));
    config_ = load_shared_config(path("agent.toml"), {HBAGENT_TEST_PLUGINS}, problems);
    if (config_ == nullptr) throw std::runtime_error(problems.lines().front());
    pipeline_ = std::make_unique<Pipeline>(config_, logger_);
    if (!pipeline_->start(problems)) throw std::runtime_error(problems.lines().front());
  }
  ~Run() { pipeline_->stop(Pipeline::within(std::chrono::milliseconds(50))); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Pipeline& pipeline() { return *pipeline_; }
  ReplaySite site() { return pipeline_->replay_site(); }

  void letter(const std::string& instance, const std::string& payload, const char* key = nullptr) {
    DeadLetter letter{"probe", instance, "before", "", "probe", payload};
    if (key != nullptr) letter.key = key;
    std::string error;
    if (!site().dead_letters.append(letter, error)) throw std::runtime_error(error);
  }
  static std::string reading(std::int64_t time) {
    hb_reading reading{};
    reading.time_us = time;
    reading.heart_rate = 60;
    reading.customer_id[0] = 'c';
    return reading_as_json(reading);
  }
  ReplayResult replay(const LetterSelection& selection = {}) {
    Replay replay(site(), selection);
    replay.run();
    return replay.result();
  }
  std::vector<StoredLetter> letters() {
    std::vector<StoredLetter> all;
    StoredLetter letter;
    for (auto reader = site().dead_letters.read(); reader.next(letter);) all.push_back(letter);
    return all;
  }
  // What the sink has got besides the source's own readings.
  Times replayed(const std::string& sink) const {
    Times all;
    std::ifstream in(path(sink));
    for (std::int64_t each = 0; in >> each;) {
      if (each >= kFirst) all.push_back(each);
    }
    return all;
  }
  SourceTerms source_terms() const {
    const auto view = pipeline_->view();
    CHECK(view.sources[0].terms.balanced());
    for (const auto& sink : view.sinks) {
      CHECK(sink.terms.balanced());
      CHECK(sink.terms.journaled == view.sources[0].terms.journaled);
    }
    return view.sources[0].terms;
  }
  // Waits until the condition holds for the view.
  template <class Condition>
  void until(Condition condition) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition(pipeline_->view())) {
      if (std::chrono::steady_clock::now() > deadline) FAIL("the condition did not come true within 30 s");
      std::this_thread::yield();
    }
  }

 private:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  TemporaryFolder folder_;
  Logger logger_{LogFormat::text, static_cast<LogLevel>(static_cast<int>(LogLevel::error) + 1)};
  std::shared_ptr<const Config> config_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace

TEST_CASE("what a sink refused goes to that sink alone, until it has an answer for each reading") {
  Run run(kSource, {"a\nretry_every = 13\nreject_every = 11", "b"});
  for (std::int64_t time = kFirst; time < kFirst + 20; ++time) run.letter("sink/a", Run::reading(time));
  const ReplayResult result = run.replay();
  CHECK(result.selected == 20);
  CHECK(result.replayed == 18);
  CHECK(result.refused == 2);
  CHECK(result.refused_by == CountByReason{{"check_violation by sink/a", 2}});
  CHECK(result.left == 0);
  auto delivered = run.replayed("a");
  std::sort(delivered.begin(), delivered.end());
  CHECK(delivered.size() == 18);
  CHECK(std::count(delivered.begin(), delivered.end(), 1014) == 1);  // it came back once for another try
  CHECK(run.replayed("b").empty());
  const auto letters = run.letters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].id == 2);
  CHECK(letters[0].reason == "check_violation");
  CHECK(letters[0].sqlstate == "23514");
  CHECK(letters[0].refused_again_us > letters[0].time_us);
  // It was none of the journal's business.
  CHECK(run.source_terms().received == 10);
}

TEST_CASE("what is replayed comes in batches of the sink's size") {
  Run run(kSource, {"a\nbatch_size = 7\nretry_every = 13"});
  for (std::int64_t time = kFirst; time < kFirst + 30; ++time) run.letter("sink/a", Run::reading(time));
  CHECK(run.replay().replayed == 30);
  auto delivered = run.replayed("a");
  std::sort(delivered.begin(), delivered.end());
  Times all(30);
  std::iota(all.begin(), all.end(), kFirst);
  CHECK(delivered == all);
  CHECK(run.pipeline().view().sinks[0].status.gauges.at("largest_write") <= 7);
}

TEST_CASE("a letter of more readings than are appended at once is one to its account") {
  for (const char* journal : {"mode = \"memory\"", "mode = \"disk\"\nmax_size = \"2MiB\"\nsync_interval = \"1ms\""}) {
    INFO(journal);
    Run run(kSource, {"a"}, journal);
    std::string words;
    for (std::int64_t time = kFirst; time < kFirst + 10'000; ++time) words += std::to_string(time) + ' ';
    run.letter("source/probe", words, "anna");
    CHECK(run.replay().replayed == 1);
    CHECK(run.replayed("a").size() == 10'000);
    CHECK(run.source_terms().received == 10 + 10'000);
    CHECK(run.letters().empty());
  }
}

TEST_CASE("a source's bytes become readings for every sink, on the source's account") {
  for (const char* journal : {"mode = \"memory\"", "mode = \"disk\"\nmax_size = \"2MiB\"\nsync_interval = \"1ms\""}) {
    INFO(journal);
    Run run(kSource, {"a\nfrom = [\"probe\"]", "b"}, journal);
    run.letter("source/probe", "1001 x zero 1002 y", "anna");
    run.letter("source/probe", "1003", "bert");
    run.letter("source/probe", "zero");
    const ReplayResult result = run.replay();
    CHECK(result.replayed == 2);
    CHECK(result.refused == 1);
    CHECK(result.refused_by == CountByReason{{"no_number by source/probe", 2}});
    CHECK_FALSE(result.undelivered);
    CHECK(run.replayed("a") == Times{1001, 1002, 1003});
    CHECK(run.replayed("b") == Times{1001, 1002, 1003});
    const auto letters = run.letters();
    REQUIRE(letters.size() == 2);
    CHECK(letters[0].id == 1);  // the first refused part takes the letter's place
    CHECK(letters[0].payload == "x");
    CHECK(letters[0].key == "anna");
    CHECK(letters[0].origin == "probe");
    CHECK(letters[1].id == 4);
    CHECK(letters[1].payload == "y");
    const SourceTerms terms = run.source_terms();
    CHECK(terms.received == 10 + 7);
    CHECK(terms.journaled == 10 + 3);
    CHECK(terms.discarded.at("zero_bpm") == 2);
    CHECK(terms.dead_lettered.at("no_number") == 2);
  }
}

TEST_CASE("a reading goes on at the processor that refused it, and a decoded one passes all of them") {
  Run run(kSource + processor("first", "discard_every = 2") + processor("second", "reject_every = 17"), {"a"});
  run.letter("processor/second", Run::reading(1000));  // the first would discard it
  run.letter("processor/second", Run::reading(1020));  // refused again
  run.letter("processor/first", Run::reading(1004));   // discarded by the first
  run.letter("source/probe", "1006 1007 1003", "c");
  const ReplayResult result = run.replay();
  CHECK(run.replayed("a") == Times{1000, 1007});
  CHECK(result.replayed == 2);
  CHECK(result.refused == 2);
  CHECK(result.refused_by == CountByReason{{"out_of_range by processor/second", 2}});
  const auto letters = run.letters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].id == 2);
  CHECK(letters[1].id == 4);
  CHECK(letters[1].instance == "processor/second");  // it is a reading by now
  CHECK(reading_from_json(letters[1].payload)->time_us == 1003);
}

TEST_CASE("a reading that a sink refuses after the journal counts as refused") {
  Run run(kSource, {"a\nreject_every = 17", "b"});
  run.letter("source/probe", "1001", "c");
  run.letter("source/probe", "1003", "c");
  const ReplayResult result = run.replay();
  CHECK(result.replayed == 1);
  CHECK(result.refused == 1);
  CHECK(run.replayed("b") == Times{1001, 1003});
  const auto letters = run.letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters.back().instance == "sink/a");
}

TEST_CASE("what cannot be replayed stays as it is, and says why") {
  Run run(kSource + processor("p"), {"a"});
  run.letter("source/probe", "wait");
  run.letter("source/probe", "1001 fail");
  run.letter("sink/gone", Run::reading(1002));
  run.letter("processor/gone", Run::reading(1003));
  run.letter("sink/a", "no reading");
  run.letter("somebody", "x");
  run.letter("source/probe", std::string(20 << 20, '7'));
  run.letter("source/probe", "1004", "c");
  const auto before = run.letters();
  const ReplayResult result = run.replay();
  CHECK(result.replayed == 1);
  CHECK(result.left == 7);
  std::string why;
  for (const auto& [each, left] : result.left_why) why += each + '\n';
  for (const char* part : {"source/probe: the probe has nothing to decode it with now",
                           "source/probe: the probe cannot decode this", "no sink \"gone\"", "no processor \"gone\"",
                           "is no reading", "\"somebody\" refused it", "only the beginning"}) {
    CHECK_THAT(why, contains_text(part));
  }
  CHECK(run.replayed("a") == Times{1004});
  const auto letters = run.letters();
  REQUIRE(letters.size() == 7);
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(letters[i].id == before[i].id);
    CHECK(letters[i].payload == before[i].payload);
    CHECK(letters[i].refused_again_us == 0);
  }
  CHECK(run.source_terms().journaled == 11);
}

TEST_CASE("a replay that waits for the journal, or for a sink, ends when it is told to, and leaves its letters") {
  const bool at_sink = GENERATE(false, true);
  Run run("[[source]]\nplugin = \"probe\"\ncount = 100000\nfinish = false\n", {"dead\ndead = true"},
          "mode = \"memory\"\nmax_size = \"256KiB\"");
  run.until([](const auto& view) { return view.sinks[0].terms.journaled >= 3000; });
  run.letter(at_sink ? "sink/dead" : "source/probe", at_sink ? Run::reading(1000) : "1000");
  Replay replay(run.site(), {});
  std::thread thread([&] { replay.run(); });
  while (replay.result().selected == 0) std::this_thread::yield();
  replay.stop("the test has seen enough");
  thread.join();
  const ReplayResult result = replay.result();
  CHECK(result.error == "the test has seen enough");
  CHECK(result.left == 1);
  CHECK(result.replayed == 0);
  CHECK(run.letters().size() == 1);
}

TEST_CASE("letters that come while it runs are not replayed, and others are chosen by id, reason and source") {
  Run run(kSource, {"a\nreject_every = 1000000007"});
  for (std::int64_t time = 1001; time < 1005; ++time) run.letter("sink/a", Run::reading(time));
  LetterSelection selection;
  selection.ids = {2, 3, 77};
  ReplayResult result = run.replay(selection);
  CHECK(result.replayed == 2);
  CHECK(result.unknown_ids == std::set<std::uint64_t>{77});
  CHECK(run.replayed("a") == Times{1002, 1003});
  selection.ids.clear();
  selection.reason = "another";
  CHECK(run.replay(selection).selected == 0);
  selection.reason = "before";
  selection.source = "probe";
  Replay replay(run.site(), selection);
  run.letter("sink/a", Run::reading(1009));
  replay.run();
  CHECK(replay.result().replayed == 2);
  CHECK(run.letters().size() == 1);
}

TEST_CASE("what the control socket carries of a replay comes back as it was") {
  LetterSelection selection{"bad \"json\"", "ward-3", {1, 18'446'744'073'709'551'615U}};
  const auto selected = selection_from_json(to_json(selection));
  REQUIRE(selected);
  CHECK(selected->reason == selection.reason);
  CHECK(selected->source == selection.source);
  CHECK(selected->ids == selection.ids);
  ReplayProgress progress;
  progress.running = true;
  progress.result = {10, 4, 3, 2, {{"r by sink/a", 3}}, {{"why", {2, 7}}}, {99}, true, "stopped"};
  const auto back = progress_from_json(to_json(progress));
  REQUIRE(back);
  CHECK(to_json(*back) == to_json(progress));
  for (const char* wrong : {"", "{", "[]", "{}", "{\"ids\":1}", "{\"reason\":1,\"source\":\"\",\"ids\":[]}"}) {
    INFO(wrong);
    CHECK_FALSE(selection_from_json(wrong));
    CHECK_FALSE(progress_from_json(wrong));
  }
}
