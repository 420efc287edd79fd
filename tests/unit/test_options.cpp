// One declaration gives the C table and the filled struct.
#include <hbagent/sdk.hpp>

#include "option_spec.hpp"
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
