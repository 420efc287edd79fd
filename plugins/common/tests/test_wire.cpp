#include <hbcommon/json.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/wire.hpp>

#include <hbagent/testing.hpp>
#include <nlohmann/json.hpp>

#include <random>
#include <string>

#include "support/catch.hpp"

using namespace hb::codec;
using hb::Reading;
using hb::testing::make_reading;

namespace {

constexpr std::int64_t kTime = 1'795'341'600'123'456;

std::string written(const Reading& reading) {
  char buffer[kReadingJsonCapacity];
  const std::size_t size = format_reading(reading, buffer);
  REQUIRE(size <= sizeof buffer);
  return {buffer, size};
}

bool same(const Reading& a, const Reading& b) {
  return a.time_us == b.time_us && a.heart_rate == b.heart_rate && a.flags == b.flags &&
         std::memcmp(a.customer_id, b.customer_id, sizeof a.customer_id) == 0;
}

Reading parsed(std::string_view json, std::string_view default_id = {}) {
  Reading reading{};
  reading.received_us = 99;
  const Outcome outcome = parse_reading(json, reading, default_id);
  INFO(json << ": " << text(outcome.reason) << ", " << outcome.detail);
  REQUIRE(outcome.ok());
  CHECK(reading.received_us == 99);
  return reading;
}

Reason refused(std::string_view json) {
  Reading reading = make_reading("before", 1, 2, 3, 4);
  const Reading before = reading;
  const Outcome outcome = parse_reading(json, reading);
  INFO(json);
  CHECK(same(reading, before));
  CHECK(!outcome.ok());
  return outcome.reason;
}

// One valid object with the given member text in place of the usual one.
std::string with(std::string_view key, std::string_view value) {
  std::string json = "{";
  const std::pair<std::string_view, std::string_view> usual[] = {
      {"customer_id", "\"c\""}, {"time", "\"2026-11-22T10:00:00Z\""}, {"heart_rate", "72"}};
  for (const auto& [name, text] : usual) {
    if (json.size() > 1) json += ',';
    json.append("\"").append(name).append("\":").append(name == key ? value : text);
  }
  if (key == "flags") json.append(",\"flags\":").append(value);
  return json + '}';
}

}  // namespace

TEST_CASE("a reading is written as the design says") {
  CHECK(written(make_reading("cust_00042", kTime, 72)) ==
        R"({"customer_id":"cust_00042","time":"2026-11-22T10:00:00.123456Z","heart_rate":72})");
  CHECK(written(make_reading("a\"b\\", 0, -5, HB_FLAG_HIGH)) ==
        R"({"customer_id":"a\"b\\","time":"1970-01-01T00:00:00.000000Z","heart_rate":-5,"flags":["high"]})");
  const std::string all = written(make_reading(std::string(41, '"'), kMaxTimeUs, -2147483647, 0xffff));
  CHECK(all.size() <= kReadingJsonCapacity);
  CHECK(nlohmann::json::parse(all)["flags"] == nlohmann::json({"low", "high", "jump", "flatline", "clock"}));
}

TEST_CASE("what other programs cannot hold is not written") {
  char buffer[kReadingJsonCapacity];
  CHECK(format_reading(make_reading("a\nb", kTime, 72), buffer) == 0);
  CHECK(format_reading(make_reading("\xff", kTime, 72), buffer) == 0);
  CHECK(format_reading(make_reading("a", kMaxTimeUs + 1, 72), buffer) == 0);
  CHECK(format_reading(make_reading("a", kMinTimeUs - 1, 72), buffer) == 0);
  Reading unterminated = make_reading("a", kTime, 72);
  std::memset(unterminated.customer_id, 'x', sizeof unterminated.customer_id);
  CHECK(format_reading(unterminated, buffer) == 0);
  CHECK(check_storable(unterminated).reason == Reason::bad_customer_id);
}

TEST_CASE("objects of other producers are read") {
  CHECK(same(parsed(R"( { "heart_rate" : 72 , "time" : "2026-11-22T11:00:00.123456+01:00" , "customer_id" : "c" } )"),
             make_reading("c", kTime, 72)));
  CHECK(same(parsed(R"({"customer_id":"c","time":"2026-11-22T10:00:00.123456Z","heart_rate":72.5,"x":{"y":[1,null]}})"),
             make_reading("c", kTime, 72)));
  CHECK(same(parsed(R"({"customer\u005fid":"\u0063","time":"2026-11-22T10:00:00.123456\u005a","heart_rate":7.2e1})"),
             make_reading("c", kTime, 72)));
  CHECK(same(parsed("\xef\xbb\xbf" + with("", "")), parsed(with("", ""))));
  CHECK(parsed(with("flags", R"(["high","clock"])")).flags == (HB_FLAG_HIGH | HB_FLAG_CLOCK));
  CHECK(parsed(with("flags", R"(["of_tomorrow","low"])")).flags == HB_FLAG_LOW);
  CHECK(parsed(with("flags", "[]")).flags == 0);
  CHECK(parsed(with("flags", "null")).flags == 0);
  CHECK(hb::customer_id(parsed(R"({"time":"2026-11-22T10:00:00Z","heart_rate":72})", "key")) == "key");
}

TEST_CASE("what is no reading is refused with its reason") {
  CHECK(refused("") == Reason::empty);
  CHECK(refused(" \n") == Reason::empty);
  CHECK(refused("null") == Reason::not_an_object);
  CHECK(refused("[]") == Reason::not_an_object);
  CHECK(refused(with("", "") + "{}") == Reason::bad_json);
  CHECK(refused(with("heart_rate", "72,")) == Reason::bad_json);
  CHECK(refused(with("heart_rate", "+72")) == Reason::bad_json);
  CHECK(refused(with("heart_rate", "\"72\"")) == Reason::not_a_number);
  CHECK(refused(with("heart_rate", "[72]")) == Reason::not_a_number);
  CHECK(refused(with("heart_rate", "true")) == Reason::not_a_number);
  CHECK(refused(with("heart_rate", "null")) == Reason::no_measurement);
  CHECK(refused(with("heart_rate", "1e99")) == Reason::out_of_range);
  CHECK(refused(with("customer_id", "7")) == Reason::bad_customer_id);
  CHECK(refused(with("customer_id", "\"\"")) == Reason::missing_customer_id);
  CHECK(refused(with("customer_id", "null")) == Reason::missing_customer_id);
  CHECK(refused(with("customer_id", "\"  \"")) == Reason::bad_customer_id);
  CHECK(refused(with("customer_id", "\"a\\u0000\"")) == Reason::bad_customer_id);
  CHECK(refused(with("customer_id", "\"\\ud83d\"")) == Reason::bad_json);
  CHECK(refused(with("customer_id", "\"\xed\xa0\x80\"")) == Reason::bad_utf8);
  CHECK(refused(with("customer_id", '"' + std::string(42, 'x') + '"')) == Reason::bad_customer_id);
  CHECK(refused(with("time", "\"2026-11-22T10:00:00\"")) == Reason::bad_time);
  CHECK(refused(with("time", "1768478398")) == Reason::bad_time);
  CHECK(refused(with("time", "null")) == Reason::missing_time);
  CHECK(refused(R"({"customer_id":"c","heart_rate":72})") == Reason::missing_time);
  CHECK(refused(R"({"customer_id":"c","time":"2026-11-22T10:00:00Z"})") == Reason::missing_heart_rate);
  CHECK(refused(R"({"time":"2026-11-22T10:00:00Z","heart_rate":72})") == Reason::missing_customer_id);
  CHECK(refused(with("heart_rate", R"(72,"heart_rate":72)")) == Reason::duplicate_key);
  CHECK(refused(with("heart_rate", R"(72,"heart\u005frate":190)")) == Reason::duplicate_key);
  CHECK(refused(with("heart_rate", R"(72,"x":[{"y":1,"y":2}])")) == Reason::duplicate_key);
  CHECK(refused(with("flags", "\"high\"")) == Reason::bad_json);
  CHECK(refused(with("flags", "[1]")) == Reason::bad_json);
  CHECK(refused(with("heart_rate", "72 /* bpm */")) == Reason::bad_json);
  CHECK(refused(with("x", "") + std::string(1, '\0')) == Reason::bad_json);
}

TEST_CASE("a heart rate of 0 is no reading, as in every other format") {
  CHECK(refused(with("heart_rate", "0")) == Reason::zero_bpm);
  CHECK(refused(with("heart_rate", "-0.0")) == Reason::zero_bpm);
  CHECK(refused(with("heart_rate", "0.5")) == Reason::out_of_range);  // a measurement, too small to be one
  CHECK(parsed(with("heart_rate", "0.51")).heart_rate == 1);
  CHECK(refused(with("heart_rate", "0,\"x\":1")) == Reason::zero_bpm);  // by the strict reader
  CHECK(refused(with("heart_rate", "0,\"flags\":7")) == Reason::bad_json);
  CHECK(refused(written(make_reading("c", kTime, 0))) == Reason::zero_bpm);
}

TEST_CASE("depth is bounded at 64 levels") {
  const auto nested = [](std::size_t depth) {
    return with("heart_rate", "72,\"x\":" + std::string(depth, '[') + std::string(depth, ']'));
  };
  Reading reading{};
  CHECK(parse_reading(nested(63), reading).ok());
  CHECK(parse_reading(nested(64), reading).reason == Reason::bad_json);
  CHECK(parse_reading(std::string(1'000'000, '['), reading).reason == Reason::bad_json);
}

TEST_CASE("many keys are checked for duplicates in bounded time") {
  std::string json = "{";
  for (int i = 0; i < 4'000; ++i) json += "\"k" + std::to_string(i) + "\":0,";
  const std::string tail = R"("customer_id":"c","time":"2026-11-22T10:00:00Z","heart_rate":72})";
  CHECK(parsed(json + tail).heart_rate == 72);
  CHECK(refused(json + "\"k17\":1," + tail) == Reason::duplicate_key);
}

TEST_CASE("random readings survive writing and reading, and nlohmann reads the same") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50'000; ++round) {
    std::string id;
    static const std::string_view kPieces[] = {"a", "Z", "0", "_", "\"", "\\", "/", "\xc3\xbc", "\xf0\x9f\x92\x93",
                                               "-"};
    while (id.size() < 1 + random() % 36) id += kPieces[random() % std::size(kPieces)];
    const auto span = static_cast<std::uint64_t>(kMaxTimeUs - kMinTimeUs);
    const std::int64_t time = kMinTimeUs + static_cast<std::int64_t>(random() % span);
    const auto rate = static_cast<std::int32_t>(random() % 4'000) - 2'000;
    const Reading reading = make_reading(id, time, rate == 0 ? 1 : rate, static_cast<std::uint16_t>(random() % 32));
    const std::string json = written(reading);
    if (!same(parsed(json), reading)) FAIL(json);
    const auto other = nlohmann::json::parse(json);
    REQUIRE(other["customer_id"] == id);
    REQUIRE(other["heart_rate"] == reading.heart_rate);
    // The strict reader must agree with the quick one: an unknown member sends the object there.
    if (!same(parsed("{\"x\":0," + json.substr(1)), reading)) FAIL(json);
  }
}

TEST_CASE("random mutations are accepted exactly where nlohmann accepts them") {
  const std::string seeds[] = {
      with("flags", R"(["high", "low"])"),
      R"({"a":[1,-2.5e+3,true,false,null,{"b":"\u00e4\ud83d\ude00\\\"\n"}],"c":{},"d":[]})",
      "[[[{\"k\":\"\xc3\xbc\xf0\x9f\x92\x93\"}]],0,1e5,\"\"]",
      with("heart_rate", "7.25"),
  };
  static constexpr std::string_view kBytes = "{}[]:,\"\\0123456789+-.eEtrufalsn /\n\x01\x80\xc3\xff\xed";
  std::mt19937_64 random(8259);
  JsonDocument document;
  std::uint64_t accepted = 0;
  for (int round = 0; round < 400'000; ++round) {
    std::string json = seeds[random() % std::size(seeds)];
    for (std::size_t changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % json.size();
      const char byte = kBytes[random() % kBytes.size()];
      switch (random() % 4) {
        case 0:
          json[at] = byte;
          break;
        case 1:
          json.insert(at, 1, byte);
          break;
        case 2:
          if (json.size() > 1) json.erase(at, 1);
          break;
        default:
          if (json.size() < 400) json.insert(at, json.substr(random() % json.size(), random() % 12));
      }
    }
    bool expected = false;
    try {
      expected = !nlohmann::json::parse(json).is_discarded();
    } catch (const nlohmann::json::out_of_range&) {
      continue;  // a number beyond double: nlohmann cannot say
    } catch (const nlohmann::json::parse_error&) {
    }
    const Outcome outcome = document.parse(json);
    if (outcome.ok() != expected) FAIL(json << ": " << outcome.detail);
    accepted += expected ? 1 : 0;
    Reading reading{};
    const Outcome read = parse_reading(json, reading);
    if (read.ok() && !expected) FAIL("read though malformed: " << json);
    // What was read can be written and read again.
    if (read.ok() && !same(parsed(written(reading)), reading)) FAIL(json);
  }
  CHECK(accepted > 20'000);
}
