// One declaration gives the C table and the filled struct.
#include <hbagent/sdk.hpp>

#include <limits>

#include "option_spec.hpp"
#include "plugin_docs.hpp"
#include "schema.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using hb::operator""_MiB;

namespace {

enum class Speed { slow, fast };

struct Inner {
  std::string pointer;
  std::int64_t depth = 3;
  static constexpr auto options = hb::options(hb::option("pointer", &Inner::pointer, "Where.").required(),
                                              hb::option("depth", &Inner::depth, "How deep.").range(1, 64));
};

struct Outer {
  bool flag = true;
  int count = 7;
  double share = 0.5;
  std::string name;
  std::string word = "a \"b\"";
  Speed speed = Speed::fast;
  std::chrono::milliseconds pause = 1500ms;
  hb::Bytes bound = 64_MiB;
  std::vector<std::string> words = {"x", "y"};
  std::vector<Inner> tables;
  std::optional<Inner> table;
  std::optional<int> maybe;
  std::map<std::string, std::string> pass;
  static constexpr auto options = hb::options(
      hb::option("flag", &Outer::flag, "h"), hb::option("count", &Outer::count, "h").range(1, 9),
      hb::option("share", &Outer::share, "h"), hb::option("name", &Outer::name, "h").secret(),
      hb::option("word", &Outer::word, "h"), hb::option("speed", &Outer::speed, "h").choices("slow", "fast"),
      hb::option("pause", &Outer::pause, "h").range(1ms, 1h), hb::option("bound", &Outer::bound, "h").min(1_MiB),
      hb::option("words", &Outer::words, "h"), hb::option("tables", &Outer::tables, "h"),
      hb::option("table", &Outer::table, "h").shorthand("pointer"), hb::option("maybe", &Outer::maybe, "h"),
      hb::option("pass", &Outer::pass, "h"));
};

}  // namespace

TEST_CASE("kinds, defaults and bounds come from the members") {
  const auto& table = hb::option_table<Outer, Outer>();
  const auto specs = hbagent::read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
  REQUIRE(specs.size() == 13);
  const std::vector<std::pair<std::uint32_t, std::string>> wanted = {{HB_BOOL, "true"},
                                                                     {HB_INTEGER, "7"},
                                                                     {HB_NUMBER, "0.5"},
                                                                     {HB_STRING, ""},
                                                                     {HB_STRING, R"("a \"b\"")"},
                                                                     {HB_CHOICE, "\"fast\""},
                                                                     {HB_DURATION, "\"1500ms\""},
                                                                     {HB_SIZE, "\"64MiB\""},
                                                                     {HB_LIST, R"(["x", "y"])"},
                                                                     {HB_TABLES, ""},
                                                                     {HB_TABLE, ""},
                                                                     {HB_INTEGER, ""},
                                                                     {HB_PASS, ""}};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    INFO(specs[i].key);
    CHECK(specs[i].kind == wanted[i].first);
    CHECK(specs[i].default_text == wanted[i].second);
  }
  CHECK(specs[3].secret);
  CHECK(specs[8].element == HB_STRING);
  CHECK(specs[10].shorthand == "pointer");
  REQUIRE(specs[9].fields.size() == 2);
  CHECK(specs[9].fields[0].required);
  CHECK(hbagent::range_text(specs[6]) == "1ms to 1h");
  CHECK(hbagent::range_text(specs[7]) == "at least 1MiB");
  CHECK(hbagent::range_text(specs[9].fields[1]) == "1 to 64");
}

namespace {

struct Narrow {
  std::uint16_t port = 1;
  std::int8_t offset = 0;
  std::uint64_t count = 0;
  std::int64_t any = 0;
  std::uint16_t wide = 1;
  float share = 0;
  std::vector<std::uint8_t> bytes;
  std::optional<std::uint32_t> maybe;
  std::chrono::seconds wait = 5s;
  std::chrono::duration<std::uint8_t, std::milli> blink{1};
  std::chrono::nanoseconds fine{0};
  std::chrono::duration<double> exact{1.5};
  std::optional<std::chrono::days> age;
  std::vector<std::chrono::minutes> steps;
  static constexpr auto options =
      hb::options(hb::option("port", &Narrow::port, "h"), hb::option("offset", &Narrow::offset, "h").min(-5),
                  hb::option("count", &Narrow::count, "h"), hb::option("any", &Narrow::any, "h"),
                  hb::option("wide", &Narrow::wide, "h").range(1, 1'000'000), hb::option("share", &Narrow::share, "h"),
                  hb::option("bytes", &Narrow::bytes, "h"), hb::option("maybe", &Narrow::maybe, "h"),
                  hb::option("wait", &Narrow::wait, "h").range(1ms, 1h), hb::option("blink", &Narrow::blink, "h"),
                  hb::option("fine", &Narrow::fine, "h"), hb::option("exact", &Narrow::exact, "h"),
                  hb::option("age", &Narrow::age, "h"), hb::option("steps", &Narrow::steps, "h"));
};

// What the agent makes of `text`: the filled struct, and what is wrong with it.
struct Filled {
  Narrow config;
  std::vector<std::string> problems;
};
Filled filled(const std::string& text) {
  const auto& table = hb::option_table<Narrow, Narrow>();
  const auto specs = hbagent::read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
  hbagent::Problems problems("F");
  hbagent::ValueTree tree;
  hbagent::SchemaReader reader(problems, tree, "");
  const hb_value values = tree.composite(HB_TABLE, reader.read(toml::parse(text), specs));
  Filled result;
  hb::assign_options<Narrow>(values, result.config);
  result.problems = problems.lines();
  return result;
}

}  // namespace

TEST_CASE("a number that the member cannot hold is refused, not cut") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"port = 70000", "\"port\" is out of range: found integer 70000, allowed 0 to 65535"},
      {"port = -1", "allowed 0 to 65535"},
      {"offset = 128", "allowed -5 to 127"},
      {"offset = -6", "allowed -5 to 127"},
      {"count = -1", "allowed at least 0"},
      {"wide = 65536", "allowed 1 to 65535"},
      {"share = 1e39", "\"share\" is out of range"},
      {"bytes = [1, 256]", "\"bytes[1]\" is out of range: found integer 256, allowed 0 to 255"},
      {"maybe = 4294967296", "allowed 0 to 4294967295"},
      {"blink = \"256ms\"", "\"blink\" is out of range: found string \"256ms\""},
      {"fine = \"300000d\"", "\"fine\" is out of range"}};
  for (const auto& [text, problem] : wrong) {
    INFO(text);
    const Filled result = filled(text);
    REQUIRE(result.problems.size() == 1);
    CHECK_THAT(result.problems[0], contains_text(problem));
  }
  const Filled most = filled(
      "port = 65535\noffset = 127\ncount = 9223372036854775807\nany = -9223372036854775808\nbytes = [0, 255]\n"
      "maybe = 4294967295\nblink = \"255ms\"\nfine = \"100000d\"\nshare = -3e38");
  CHECK(most.problems.empty());
  CHECK(most.config.port == 65535);
  CHECK(most.config.offset == 127);
  CHECK(most.config.count == std::numeric_limits<std::int64_t>::max());
  CHECK(most.config.any == std::numeric_limits<std::int64_t>::min());
  CHECK(most.config.bytes == std::vector<std::uint8_t>{0, 255});
  CHECK(most.config.maybe == 4294967295U);
  CHECK(most.config.blink.count() == 255);
  CHECK(most.config.fine == 24h * 100'000);
}

TEST_CASE("a duration that the member would cut is refused with the unit that it must be a multiple of") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"wait = \"900ms\"", "F:1:8: \"wait\" must be a whole number of seconds, found string \"900ms\""},
      {"wait = \"1.5s\"", "\"wait\" must be a whole number of seconds, found string \"1.5s\""},
      {"blink = \"10us\"", "\"blink\" must be a whole number of milliseconds"},
      {"age = \"36h\"", "\"age\" must be a whole number of days"},
      {"steps = [\"1m\", \"90s\"]", "\"steps[1]\" must be a whole number of minutes"}};
  for (const auto& [text, problem] : wrong) {
    INFO(text);
    const Filled result = filled(text);
    REQUIRE(result.problems.size() == 1);
    CHECK_THAT(result.problems[0], contains_text(problem));
  }
  const Filled right = filled(
      "wait = \"2000ms\"\nblink = \"0.02s\"\nage = \"48h\"\nsteps = [\"120s\"]\nexact = \"250us\"\nfine = \"1us\"");
  CHECK(right.problems.empty());
  CHECK(right.config.wait == 2s);
  CHECK(right.config.blink == 20ms);
  CHECK(right.config.age == std::chrono::days(2));
  CHECK(right.config.steps == std::vector<std::chrono::minutes>{2min});
  CHECK(right.config.exact == 250us);
  CHECK(right.config.fine == 1us);
}

TEST_CASE("bounds that come from the type alone do not make an odd sample") {
  const auto& table = hb::option_table<Narrow, Narrow>();
  hbagent::Plugin plugin;
  plugin.kind = HB_SINK;
  plugin.name = "narrow";
  plugin.options = hbagent::read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
  plugin.options[1].default_text.clear();
  plugin.options[8].default_text.clear();
  const std::string sample = hbagent::plugin_sample(plugin);
  CHECK_THAT(sample, contains_text("# offset = 0\n"));
  CHECK_THAT(sample, contains_text("# maybe = 0\n"));
  CHECK_THAT(sample, contains_text("Allowed: 1ms to 1h, whole seconds.\n# wait = \"1s\"\n"));
  CHECK_THAT(sample, contains_text("Allowed: whole days.\n# age = \"1d\"\n"));
}

TEST_CASE("a value of the wrong kind is told what is right, at its place") {
  const auto problem = [](const std::string& text) {
    const auto& table = hb::option_table<Outer, Outer>();
    const auto specs = hbagent::read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
    hbagent::Problems problems("F");
    hbagent::ValueTree tree;
    hbagent::SchemaReader reader(problems, tree, "");
    static_cast<void>(reader.read(toml::parse(text), specs));
    REQUIRE(problems.lines().size() == 1);
    return problems.lines()[0];
  };
  CHECK(problem("speed = 5") == "F:1:9: \"speed\" must be one of \"slow\", \"fast\", in quotes, found integer 5");
  CHECK(problem("flag = 'yes'") == "F:1:8: \"flag\" must be a bool, found string \"yes\"");
  CHECK(problem("count = true") == "F:1:9: \"count\" must be an integer, found boolean true");
  CHECK(problem("words = ['a', 1]") == "F:1:15: \"words[1]\" must be a string, found integer 1");
  CHECK(problem("words = 'a'") == "F:1:9: \"words\" must be a list of string, found string \"a\"");
  CHECK(problem("pause = 5") ==
        "F:1:9: \"pause\" must be a duration such as \"250ms\", \"5s\" or \"2h\", found integer 5");
  CHECK_THAT(problem("[tables]\npointer = '/x'"),
             contains_text("\"tables\" must be an array of tables, each under a header in double brackets"));
}

namespace {

struct Place {
  enum class From { field, receive } from = From::field;
  std::optional<std::string> pointer;
  static constexpr auto options = hb::options(hb::option("from", &Place::from, "h").choices("field", "receive"),
                                              hb::option("pointer", &Place::pointer, "h").example("\"/time\""));
};
struct Placed {
  Place time;
  static constexpr auto options = hb::options(hb::option("time", &Placed::time, "h").shorthand("from"));
};

}  // namespace

TEST_CASE("a text in the place of a table is one of its key's, or is told what the table looks like") {
  const auto& table = hb::option_table<Placed, Placed>();
  const auto specs = hbagent::read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
  const auto read = [&](const std::string& text, Placed& placed) {
    hbagent::Problems problems("F");
    hbagent::ValueTree tree;
    hbagent::SchemaReader reader(problems, tree, "");
    hb::assign_options<Placed>(tree.composite(HB_TABLE, reader.read(toml::parse(text), specs)), placed);
    return problems.lines();
  };
  Placed placed;
  CHECK(read("time = 'receive'", placed).empty());
  CHECK(placed.time.from == Place::From::receive);
  CHECK_FALSE(placed.time.pointer);
  CHECK(read("time = '${HBAGENT_TEST_NOT_SET:-field}'", placed).empty());
  CHECK(placed.time.from == Place::From::field);
  const auto problems = read("\ntime = '/t'", placed);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] ==
        "F:2:8: \"time\": found string \"/t\"; allowed: field, receive, or a table such as { pointer = \"/time\" }");
}

TEST_CASE("a key that stands outside its table is shown the table") {
  const auto& table = hb::option_table<Outer, Outer>();
  const auto specs = hbagent::read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
  hbagent::Problems problems("F");
  hbagent::ValueTree tree;
  hbagent::SchemaReader(problems, tree, "").check_keys(toml::parse("depth = 3"), specs);
  REQUIRE(problems.lines().size() == 1);
  CHECK_THAT(problems.lines()[0], contains_text("unknown key \"depth\"; did you mean \"tables.depth\"?"));
}
