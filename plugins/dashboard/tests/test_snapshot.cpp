#include <hbagent/catch.hpp>
#include <hbagent/testing.hpp>

#include <nlohmann/json.hpp>

#include "api.hpp"
#include "json_text.hpp"

using namespace hb::dashboard;
using nlohmann::json;

namespace {

constexpr std::int64_t kNow = 1'800'000'000'500'000;

void put(SharedBoard& board, const hb::Reading& reading) {
  std::vector<std::uint32_t> duplicates;
  board.board.add({&reading, 1}, kNow, duplicates);
}

}  // namespace

TEST_CASE("whatever an id holds, every answer is JSON on one line and gives the id back") {
  const std::vector<std::string> ids{"quote\"back\\slash",
                                     std::string("control\x01\n\r\t\x1f\x7f", 13),
                                     "Zo\xC3\xAB \xE2\x9D\xA4 \xF0\x9F\x92\x93",
                                     "line\xE2\x80\xA8separator",
                                     "</script><b>&",
                                     "event: x",
                                     "{}[],:",
                                     "%41+%",
                                     std::string(41, 'x')};
  SharedBoard board({});
  for (const auto& id : ids) put(board, hb::testing::make_reading(id, kNow, 70, HB_FLAG_HIGH));
  About about;
  about.agent = "edge \"1\"\n";
  Api api(board, about, [] { return kNow; });

  const auto frame = api.frame();
  CHECK(frame->event.substr(frame->event.size() - 2) == "\n\n");
  CHECK(std::count(frame->event.begin(), frame->event.end(), '\n') == 4);
  CHECK(frame->event.find('\r') == std::string::npos);
  const json snapshot = json::parse(frame->json());
  CHECK(snapshot.at("agent") == about.agent);
  CHECK(snapshot.at("wall").size() == ids.size());
  CHECK(snapshot.at("alerts").size() == ids.size());
  for (const auto& id : ids) {
    const auto same = [&](const json& one) { return one.at("id") == id; };
    CHECK(std::count_if(snapshot["wall"].begin(), snapshot["wall"].end(), same) == 1);
    CHECK(std::count_if(snapshot["alerts"].begin(), snapshot["alerts"].end(), same) == 1);
  }
  CHECK(json::parse(api.customers(*Target::parse("/?q=%22"))).at("customers").at(0).at("id") == ids[0]);
  const json history = json::parse(api.history(*Target::parse("/?customer=quote%22back%5Cslash&customer=%FF")));
  CHECK(history.at("series").at(0).at("id") == ids[0]);
  CHECK(history.at("series").at(0).at("known") == true);
  CHECK(history.at("series").at(0).at("flags").back() == HB_FLAG_HIGH);
  CHECK(history.at("series").at(1).at("known") == false);
}

TEST_CASE("bytes that are no UTF-8 become the replacement character") {
  std::string out;
  JsonText(out).text("a\xFF\xC3(\xED\xA0\x80z\xE2\x82");
  CHECK(json::parse(out).get<std::string>().substr(0, 4) == "a\xEF\xBF\xBD");
  CHECK(json::parse(out).get<std::string>().back() != '\x82');
}

TEST_CASE("a snapshot of nothing has nulls where there is nothing to tell") {
  SharedBoard board({});
  Api api(board, {}, [] { return kNow; });
  const json snapshot = json::parse(api.frame()->json());
  for (const char* name : {"lag_ms", "average", "min", "max"}) CHECK(snapshot.at("totals").at(name).is_null());
  CHECK(snapshot.at("totals").at("readings") == 0);
  CHECK(snapshot.at("distribution").at("counts").size() == 60);
  CHECK(snapshot.at("time_ms") == kNow / 1000);
}

TEST_CASE("a snapshot says exactly what the readings say") {
  SharedBoard board({});
  put(board, hb::testing::make_reading("a", kNow - 3'000'000, 60));
  put(board, hb::testing::make_reading("a", kNow - 1'000'000, 190, HB_FLAG_HIGH | HB_FLAG_JUMP));
  put(board, hb::testing::make_reading("b", kNow - 20'000'000, 71));
  Api api(board, {}, [] { return kNow; });
  const json snapshot = json::parse(api.frame()->json());
  CHECK(snapshot["totals"]["average"] == 107.0);
  CHECK(snapshot["totals"]["min"] == 60);
  CHECK(snapshot["totals"]["max"] == 190);
  CHECK(snapshot["totals"]["high"] == 1);
  CHECK(snapshot["totals"]["jump"] == 1);
  CHECK(snapshot["totals"]["stale"] == 1);
  CHECK(snapshot["distribution"]["counts"][8] == 1);
  CHECK(snapshot["distribution"]["counts"][10] == 1);
  CHECK(snapshot["distribution"]["counts"][34] == 1);
  const json& tile = snapshot["wall"][0];
  CHECK(tile["flags"] == json({"high", "jump"}));
  CHECK(tile["age_s"] == 1.0);
  CHECK(tile["spark"].size() == 60);
  CHECK(tile["spark"][58] == 190);
  CHECK(tile["spark"][57].is_null());
  CHECK(tile["spark"][56] == 60);
  CHECK(snapshot["alerts"][0]["state"] == "began");
}

TEST_CASE("a parameter that cannot be is told") {
  SharedBoard board({});
  Api api(board, {}, [] { return kNow; });
  for (const char* wrong : {"/?limit=0", "/?limit=501", "/?limit=x", "/?offset=-1", "/?status=dead", "/?sort=age"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(api.customers(*Target::parse(wrong)), BadParameter);
  }
  for (const char* wrong : {"/", "/?customer=a&since_s=-1", "/?customer=a&since_s=99999999999999999999",
                            "/?customer=1&customer=2&customer=3&customer=4&customer=5&customer=6&customer=7&"
                            "customer=8&customer=9"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(api.history(*Target::parse(wrong)), BadParameter);
  }
  CHECK_NOTHROW(api.history(*Target::parse("/?customer=a&since_s=9223372036854")));
}
