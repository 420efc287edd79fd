#include "reading_json.hpp"

#include <hbagent/testing.hpp>

#include <cstring>
#include <limits>

#include "support/catch.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

TEST_CASE("a reading comes back from its text as it was") {
  constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
  constexpr auto kHighest = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t time : {std::int64_t{0}, std::int64_t{1'795'341'600'123'456}, kLowest, kHighest}) {
    for (const std::int32_t rate : {72, 0, -5, std::numeric_limits<std::int32_t>::max()}) {
      hb_reading reading = hb::testing::make_reading("caf\xc3\xa9 \"x\"\n", time, rate, HB_FLAG_LOW | HB_FLAG_CLOCK);
      reading.received_us = 0;
      const std::string text = reading_as_json(reading);
      INFO(text);
      const auto back = reading_from_json(text);
      REQUIRE(back);
      CHECK(std::memcmp(&*back, &reading, sizeof reading) == 0);
    }
  }
}

TEST_CASE("flags are named, and may be there also where there are none") {
  hb_reading reading{};
  reading.customer_id[0] = 'a';
  reading.heart_rate = 60;
  const std::string before = R"({"customer_id":"a","time":"1970-01-01T00:00:00.000000Z","heart_rate":60)";
  CHECK(reading_as_json(reading) == before + "}");
  CHECK(reading_as_json(reading, JsonFlags::always) == before + R"(,"flags":[]})");
  reading.flags = HB_FLAG_LOW | HB_FLAG_CLOCK;
  CHECK(reading_as_json(reading) == before + R"(,"flags":["low","clock"]})");
  CHECK(reading_as_json(reading, JsonFlags::always) == reading_as_json(reading));
}

TEST_CASE("what may have been another reading is not taken for one") {
  hb_reading foreign = hb::testing::make_reading("a\xff", 0, 60);
  CHECK_FALSE(reading_from_json(reading_as_json(foreign)));
  for (const char* wrong :
       {"", "{", "[]", R"({"customer_id":"a","time":"1970-01-01T00:00:00.000000Z"})",
        R"({"customer_id":"","time":"1970-01-01T00:00:00.000000Z","heart_rate":1})",
        R"({"customer_id":1,"time":"1970-01-01T00:00:00.000000Z","heart_rate":1})",
        R"({"customer_id":"a","time":"1970-01-01T00:00:00Z","heart_rate":1})",
        R"({"customer_id":"a","time":0,"heart_rate":1})",
        R"({"customer_id":"a","time":"1970-01-01T00:00:00.000000Z","heart_rate":1.5})",
        R"({"customer_id":"a","time":"1970-01-01T00:00:00.000000Z","heart_rate":18446744073709551615})",
        R"({"customer_id":"a","time":"1970-01-01T00:00:00.000000Z","heart_rate":1,"flags":["loud"]})",
        R"({"customer_id":"a","time":"1970-01-01T00:00:00.000000Z","heart_rate":1,"flags":"low"})"}) {
    INFO(wrong);
    CHECK_FALSE(reading_from_json(wrong));
  }
}
