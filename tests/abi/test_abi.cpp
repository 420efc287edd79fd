// Wrong plugins: each ends in a clear error or a safe run, never in a crash.
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pipeline.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kLibraries = HBAGENT_WRONG_PLUGINS;

// Why the library of that variant is not taken.
std::string refusal(const std::string& variant) {
  PluginCatalog catalog({kLibraries});
  try {
    catalog.load(kLibraries / (variant + ".so"));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

struct Result {
  std::vector<std::string> problems;
  bool failed = false;
  Pipeline::View view;
  std::vector<nlohmann::json> letters;
};

// Runs source -> processor -> sink of the given plugins to the end. An empty processor: none.
Result run(const std::string& source, const std::string& processor, const std::string& sink) {
  const TemporaryFolder folder;
  const auto table = [](const std::string& kind, const std::string& plugin) {
    const bool is_path = plugin.find('/') != std::string::npos;
    return "[[" + kind + "]]\nplugin = \"" + plugin + "\"\n" + (is_path ? "name = \"it\"\n" : "") +
           (kind == "processor" ? "" : "retry_initial = \"1ms\"\n");
  };
  std::ofstream(folder.path() / "agent.toml")
      << "[agent]\ndata_dir = \"" << (folder.path() / "data").string() << "\"\nplugin_dirs = [\""
      << HBAGENT_TEST_PLUGINS << "\"]\n"
      << table("source", source) << (processor.empty() ? "" : table("processor", processor)) << table("sink", sink);
  Logger logger(LogFormat::text, LogLevel::error);
  Problems problems("agent.toml");
  std::unique_ptr<PluginCatalog> catalog;
  const auto config = load_config(folder.path() / "agent.toml", {}, catalog, problems);
  REQUIRE(config != nullptr);
  Result result;
  {
    Pipeline pipeline(std::shared_ptr<const Config>(std::shared_ptr<void>(), config.get()), logger);
    if (pipeline.start(problems)) {
      pipeline.wait([] { return false; });
      const bool failed = pipeline.any_failed();
      CHECK(pipeline.stop(
          Pipeline::within(failed ? std::chrono::microseconds(50'000) : std::chrono::microseconds::max())));
    }
    result.failed = pipeline.any_failed();
    result.view = pipeline.view();
  }
  result.problems = problems.lines();
  std::ifstream in(folder.path() / "data" / "dead-letters.jsonl");
  for (std::string line; std::getline(in, line);) result.letters.push_back(nlohmann::json::parse(line));
  return result;
}

std::string library(const std::string& variant) {
  return (kLibraries / (variant + ".so")).string();
}

}  // namespace

TEST_CASE("a library that is no plugin is refused, and the error says why") {
  CHECK_THAT(refusal("no_symbol"), contains_text("no_symbol.so") && contains_text("no function hb_plugin_v1"));
  CHECK_THAT(refusal("wrong_major"), contains_text("ABI version 1"));
  CHECK_THAT(refusal("smaller_struct"), contains_text("is too small"));
  CHECK_THAT(refusal("without_write"), contains_text("lacks write, which a sink needs"));
  CHECK_THAT(refusal("bad_option"), contains_text("option \"what\": unknown kind 99"));
  CHECK_THAT(refusal("bad_default"), contains_text("is no TOML"));
  CHECK_THAT(refusal("tiny_option"), contains_text("an option struct of 4 bytes"));
  CHECK_THAT(refusal("endless"), contains_text("does not end"));
  CHECK_THAT(refusal("empty"), contains_text("offers no plugin"));
  CHECK_THAT(refusal("throws_in_entry"), contains_text("threw an exception across the ABI") || contains_text("entry"));
}

TEST_CASE("a file that is no library at all is refused with the loader's reason") {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "text.so") << "this is no library\n";
  PluginCatalog catalog({folder.path()});
  CHECK_THROWS_WITH(catalog.find(HB_SINK, "text"), contains_text("cannot be loaded") && contains_text("text.so: "));
}

TEST_CASE("a library that others may write is refused, and so is one in such a folder") {
  const TemporaryFolder folder;
  std::filesystem::copy_file(kLibraries / "sound.so", folder.path() / "sound.so");
  PluginCatalog catalog({folder.path()});
  REQUIRE(chmod((folder.path() / "sound.so").c_str(), 0646) == 0);
  CHECK_THROWS_WITH(catalog.load(folder.path() / "sound.so"), contains_text("writable by others; chmod o-w"));
  REQUIRE(chmod((folder.path() / "sound.so").c_str(), 0644) == 0);
  REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
  CHECK_THROWS_WITH(catalog.load(folder.path() / "sound.so"), contains_text("writable by others"));
  REQUIRE(chmod(folder.path().c_str(), 0700) == 0);
  CHECK(catalog.load(folder.path() / "sound.so").size() == 3);
}

TEST_CASE("a link is only as good as the file that it leads to") {
  const TemporaryFolder folder;
  const auto plugins = std::filesystem::canonical(folder.path()) / "plugins";
  const auto open = std::filesystem::canonical(folder.path()) / "open";
  for (const auto& each : {plugins, open}) std::filesystem::create_directory(each);
  std::filesystem::copy_file(kLibraries / "sound.so", open / "sound.so");
  std::filesystem::create_symlink("../open/sound.so", plugins / "second.so");
  std::filesystem::create_symlink("second.so", plugins / "null.so");
  PluginCatalog catalog({plugins});
  REQUIRE(chmod(open.c_str(), 0777) == 0);
  CHECK_THROWS_WITH(catalog.load(plugins / "null.so"),
                    contains_text("plugin library " + (plugins / "null.so").string() + ": " + open.string() +
                                  " is writable by others; chmod o-w"));
  REQUIRE(chmod(open.c_str(), 0755) == 0);
  REQUIRE(chmod((open / "sound.so").c_str(), 0666) == 0);
  CHECK_THROWS_WITH(catalog.load(plugins / "null.so"), contains_text((open / "sound.so").string() + " is writable"));
  REQUIRE(chmod((open / "sound.so").c_str(), 0644) == 0);
  REQUIRE(chmod(plugins.c_str(), 0777) == 0);  // the link itself can be changed
  CHECK_THROWS_WITH(catalog.load(plugins / "null.so"), contains_text(plugins.string() + " is writable by others"));
  REQUIRE(chmod(plugins.c_str(), 0755) == 0);
  CHECK(catalog.load(plugins / "null.so").size() == 3);

  std::filesystem::create_symlink("nowhere.so", plugins / "dangling.so");
  CHECK_THROWS_WITH(catalog.load(plugins / "dangling.so"),
                    contains_text("dangling.so: cannot be found: No such file or directory"));
}

TEST_CASE("a plugin made for an older or a newer minor version runs") {
  for (const char* variant : {"sound", "older_struct", "larger_struct"}) {
    INFO(variant);
    const Result result = run(library(variant), "", library(variant));
    CHECK_FALSE(result.failed);
    CHECK(result.view.sinks[0].terms.delivered == 1);
  }
}

TEST_CASE("a source that breaks the rules of emit is told so and nothing wrong is taken") {
  CHECK(run(library("token_goes_back"), "", "probe").view.sinks[0].terms.delivered == 1);
  CHECK(run(library("no_address"), "", "probe").view.sinks[0].terms.delivered == 0);
  const Result unsound = run(library("unsound_ids"), "", "probe");
  CHECK(unsound.view.sinks[0].terms.delivered == 1);
  CHECK(unsound.view.sources[0].terms.dead_lettered.at("bad_customer_id") == 2);
  CHECK(unsound.letters.size() == 2);
  const Result early = run(library("stops_early"), "", "probe");
  CHECK(early.failed);
  CHECK_THAT(early.view.sources[0].status.last_error, contains_text("although the agent is not stopping"));
}

TEST_CASE("a processor that returns more than the capacity, or fewer than it got, fails safely") {
  const Result more = run("probe", library("more_than_capacity"), "probe");
  CHECK(more.failed);
  CHECK_THAT(more.view.sources[0].processors[0].status.last_error, contains_text("process returned 5121 readings"));
  CHECK(more.view.sinks[0].terms.delivered == 0);
  CHECK(run("probe", library("fewer_than_given"), "probe").failed);
  CHECK_THAT(run("probe", library("sound"), "probe").view.sources[0].processors[0].status.last_error,
             contains_text("a verdict on reading 1100 of a batch of 100"));
}

TEST_CASE("a sink whose verdicts make no sense fails safely, and its readings stay pending") {
  const Result beyond = run("probe", "", library("verdict_beyond"));
  CHECK(beyond.failed);
  CHECK_THAT(beyond.view.sinks[0].status.last_error, contains_text("gave a verdict on reading"));
  CHECK(beyond.view.sinks[0].terms.pending > 0);
  CHECK_THAT(run("probe", "", library("verdict_of_another_kind")).view.sinks[0].status.last_error,
             contains_text("which is not for its kind"));
}

TEST_CASE("statuses and error texts that break the rules are survived") {
  CHECK_THAT(run("probe", "", library("unknown_status")).view.sinks[0].status.last_error,
             contains_text("unknown status 77"));
  CHECK(run("probe", "", library("unterminated_error")).view.sinks[0].status.last_error.size() > 1000);
  CHECK_THAT(run("probe", "", library("no_reason")).problems.at(0), contains_text("create failed without a reason"));
}

TEST_CASE("exceptions out of a plugin's functions are caught and named") {
  CHECK_THAT(run("probe", "", library("throws")).view.sinks[0].status.last_error,
             contains_text("write threw an exception across the ABI"));
  CHECK_THAT(run(library("throws"), "", "probe").view.sources[0].status.last_error,
             contains_text("run threw an exception across the ABI"));
  CHECK_THAT(run("probe", library("throws"), "probe").view.sources[0].processors[0].status.last_error,
             contains_text("process threw an exception across the ABI"));
  CHECK_THAT(run("probe", "", library("throws_in_open")).view.sinks[0].status.last_error,
             contains_text("open threw an exception across the ABI"));
  CHECK_THAT(run("probe", "", library("throws_in_create")).problems.at(0),
             contains_text("create threw an exception across the ABI"));
}
