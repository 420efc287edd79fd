#include <cstdlib>
#include <fstream>

#include "config.hpp"
#include "plugin_docs.hpp"
#include "schema.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

namespace {

struct Loaded {
  std::unique_ptr<PluginCatalog> catalog;
  std::unique_ptr<Config> config;
  std::vector<std::string> problems;  // without the file's name
};

Loaded load(const std::string& text) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "agent.toml";
  std::ofstream(file) << text;
  Loaded loaded;
  Problems problems("F");
  loaded.config = load_config(file, {HBAGENT_TEST_PLUGINS}, loaded.catalog, problems);
  loaded.problems = problems.lines();
  return loaded;
}

constexpr const char* kSound = "[[source]]\nplugin = \"probe\"\n[[sink]]\nplugin = \"probe\"\n";

// The one problem of a configuration.
std::string problem(const std::string& text) {
  const Loaded loaded = load(text);
  REQUIRE(loaded.problems.size() == 1);
  REQUIRE(loaded.config == nullptr);
  return loaded.problems[0];
}

}  // namespace

TEST_CASE("a sound configuration has the defaults of its option tables") {
  const Loaded loaded = load(kSound);
  REQUIRE(loaded.config != nullptr);
  CHECK(loaded.config->sources[0].name() == "probe");
  CHECK(loaded.config->sinks[0].batch_size == kDefaultBatchSize);
  CHECK(loaded.config->sinks[0].keys.batch_timeout == std::chrono::milliseconds(20));
  CHECK(loaded.config->journal.bound() == hb::operator""_GiB(1).value);
  CHECK_FALSE(loaded.config->http);
}

TEST_CASE("every problem is named at once, with line, column, what was found and what is allowed") {
  const Loaded loaded = load(
      "[agnet]\n"                    // 1
      "[journal]\n"                  // 2
      "max_size = \"12 parsecs\"\n"  // 3
      "when_full = \"blok\"\n"       // 4
      "[[source]]\n"                 // 5
      "plugin = \"probe\"\n"         // 6
      "coutn = 5\n"                  // 7
      "batch = \"many\"\n"           // 8
      "retry_initial = \"9999h\"\n"  // 9
      "[[source]]\n"                 // 10
      "plugin = \"prob\"\n"          // 11
      "[[sink]]\n"                   // 12
      "plugin = \"probe\"\n"         // 13
      "from = [\"wrad\"]\n"          // 14
      "where = [\"hihg\"]\n");       // 15
  REQUIRE(loaded.config == nullptr);
  const std::vector<std::string> wanted = {
      "F:1:2: unknown key \"agnet\"; did you mean \"agent\"? allowed: agent, journal, http, source, processor, sink",
      "F:3:12: [journal]: \"max_size\" must be a size such as \"64KiB\" or \"1GiB\", found string \"12 parsecs\"",
      "F:4:13: [journal]: \"when_full\": found \"blok\"; did you mean \"block\"? allowed: block, drop_oldest",
      "F:7:1: source \"probe\": unknown key \"coutn\"; did you mean \"count\"? allowed: plugin, name,",
      "F:9:17: source \"probe\": \"retry_initial\" is out of range: found string \"9999h\", allowed 1ms to 1h",
      "F:8:9: source \"probe\": \"batch\" must be an integer, found string \"many\"",
      "F:11:10: source \"prob\": there is no plugin \"prob\"; did you mean \"probe\"? available: ",
      "F:15:10: sink \"probe\": \"where[0]\": found \"hihg\"; did you mean \"high\"? allowed: low, high, jump, "
      "flatline, clock",
      "F:12:1: sink \"probe\": \"from\" names \"wrad\", which is no source;"};
  REQUIRE(loaded.problems.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK_THAT(loaded.problems[i], contains_text(wanted[i]));
}

TEST_CASE("a syntax error, a missing file and a folder are told apart") {
  CHECK_THAT(problem("[agent\n"), contains_text("F:1:") && contains_text("not valid TOML"));
  Problems problems("nowhere.toml");
  std::unique_ptr<PluginCatalog> catalog;
  CHECK(load_config("/nonexistent/nowhere.toml", {}, catalog, problems) == nullptr);
  CHECK_THAT(problems.lines().at(0), contains_text("No such file"));
  const TemporaryFolder folder;
  Problems folder_problems("folder");
  CHECK(load_config(folder.path(), {}, catalog, folder_problems) == nullptr);
  CHECK_THAT(folder_problems.lines().at(0), contains_text("is a folder"));
}

TEST_CASE("sources, sinks and plugin names are asked for") {
  const Loaded empty = load("");
  REQUIRE(empty.problems.size() == 2);
  CHECK_THAT(empty.problems[0], contains_text("there is no [[source]]"));
  CHECK_THAT(problem("[[source]]\n[[sink]]\nplugin = \"probe\"\n"),
             contains_text("F:1:1: source: \"plugin\" is missing"));
  CHECK_THAT(problem("[source]\nplugin = \"probe\"\n[[sink]]\nplugin = \"probe\"\n"),
             contains_text("write [[source]]"));
  CHECK_THAT(problem(std::string(kSound) + "[[source]]\nplugin = \"probe\"\n"),
             contains_text("F:5:1: there is another source named \"probe\""));
  CHECK_THAT(problem("[[source]]\nplugin = \"probe\"\nname = \"a/b\"\n[[sink]]\nplugin = \"probe\"\n"),
             contains_text("letters, digits"));
}

TEST_CASE("an empty route is refused: it would read as none and mean all") {
  CHECK_THAT(problem(std::string(kSound) + "from = []\n"),
             contains_text("F:5:8: sink \"probe\": \"from\" must not be empty"));
}

TEST_CASE("an empty file is no configuration, and neither is one with a wrong top-level kind") {
  CHECK_THAT(problem("agent = 3\n" + std::string(kSound)), contains_text("F:1:9: \"agent\" must be a table: [agent]"));
}

TEST_CASE("a table of a plugin that stands at the top is shown its place") {
  CHECK_THAT(problem(std::string(kSound) + "[[subscription]]\n"),
             contains_text("unknown key \"subscription\"; allowed: ") && contains_text("is [[source.subscription]]"));
  CHECK_THAT(problem(std::string(kSound) + "[tls]\n"), contains_text("is [source.tls]"));
}

TEST_CASE("environment references are replaced everywhere, also for numbers") {
  setenv("HBAGENT_TEST_COUNT", "77", 1);
  unsetenv("HBAGENT_TEST_MISSING");
  CHECK(load("[[source]]\nplugin = \"probe\"\ncount = \"${HBAGENT_TEST_COUNT}\"\n[[sink]]\nplugin = \"probe\"\n")
            .config != nullptr);
  const Loaded named = load("[agent]\nid = \"a-${HBAGENT_TEST_MISSING:-b}-$$\"\n" + std::string(kSound));
  REQUIRE(named.config != nullptr);
  CHECK(named.config->agent.id == "a-b-$");
  CHECK_THAT(problem("[agent]\nid = \"${HBAGENT_TEST_MISSING}\"\n" + std::string(kSound)),
             contains_text("F:2:6: [agent]: \"id\": the environment variable HBAGENT_TEST_MISSING is not set"));
  CHECK_THAT(problem("[agent]\nid = \"${oops\"\n" + std::string(kSound)), contains_text("write $$"));
}

TEST_CASE("durations and sizes are read exactly") {
  CHECK(parse_duration("250ms") == 250'000);
  CHECK(parse_duration("1.5s") == 1'500'000);
  CHECK(parse_duration("2h") == 7'200'000'000);
  CHECK(parse_duration("1d") == 86'400'000'000);
  CHECK(parse_duration("7us") == 7);
  for (const char* wrong : {"", "5", "s", "-1s", "5 s", "5sec", "1e3s", "0x5s", "99999999999999999999d", "nan"}) {
    INFO(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
  CHECK(parse_size("64MiB") == 64 << 20);
  CHECK(parse_size("1GB") == 1'000'000'000);
  CHECK(parse_size("10B") == 10);
  CHECK_FALSE(parse_size("10"));
  CHECK_FALSE(parse_size("-1MiB"));
}

TEST_CASE("the sample of every plugin is a configuration that checks") {
  PluginCatalog catalog({HBAGENT_TEST_PLUGINS});
  const std::string text =
      plugin_sample(catalog.find(HB_SOURCE, "probe")) + plugin_sample(catalog.find(HB_SINK, "probe"));
  const Loaded loaded = load(text);
  INFO(text);
  CHECK(loaded.problems.empty());
}
