#include <hbagent/testing.hpp>
#include <hbcommon/time.hpp>

#include <cstring>
#include <limits>
#include <string>

#include "support/catch.hpp"
#include "validate_processor.hpp"

using hb::Reading;
using hb::testing::make_reading;

namespace {

constexpr std::int64_t kNow = 1'768'478'400'000'000;  // 2026-01-15T12:00:00Z
constexpr std::int64_t kSecond = 1'000'000;

ValidateProcessor processor_with(const ValidateProcessor::Config& config = {}) {
  static const hb::testing::TestHost host;
  return {config, host.host()};
}

// What `validate` says of one reading: "" where it is kept.
std::string verdict_on(ValidateProcessor& processor, const Reading& reading, std::int32_t* verdict = nullptr) {
  hb::testing::TestBatch batch({reading});
  (void)batch.process(processor);
  if (verdict != nullptr) *verdict = batch.verdict(0).verdict;
  return batch.verdict(0).reason;
}

Reading with_rate(std::int32_t heart_rate) {
  return make_reading("c", kNow, heart_rate, 0, kNow);
}
Reading at(std::int64_t time_us) {
  return make_reading("c", time_us, 72, 0, kNow);
}

}  // namespace

TEST_CASE("heart rates within the bounds are kept, others rejected") {
  ValidateProcessor processor = processor_with();
  CHECK(verdict_on(processor, with_rate(1)).empty());
  CHECK(verdict_on(processor, with_rate(300)).empty());
  std::int32_t verdict = 0;
  for (const std::int32_t rate :
       {-1, 301, 328, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()}) {
    CHECK(verdict_on(processor, with_rate(rate), &verdict) == "out_of_range");
    CHECK(verdict == HB_VERDICT_REJECT);
  }
  ValidateProcessor narrow = processor_with({.min_heart_rate = 30, .max_heart_rate = 220});
  CHECK(verdict_on(narrow, with_rate(29)) == "out_of_range");
  CHECK(verdict_on(narrow, with_rate(30)).empty());
  CHECK(verdict_on(narrow, with_rate(221)) == "out_of_range");
}

TEST_CASE("zero is no reading: discarded, not rejected") {
  ValidateProcessor processor = processor_with();
  std::int32_t verdict = 0;
  CHECK(verdict_on(processor, with_rate(0), &verdict) == "zero_bpm");
  CHECK(verdict == HB_VERDICT_DISCARD);
}

TEST_CASE("times outside what a clock can say are rejected") {
  ValidateProcessor processor = processor_with();
  const std::int64_t floor = 315'532'800 * kSecond;  // 1980-01-01
  CHECK(verdict_on(processor, at(floor)).empty());
  CHECK(verdict_on(processor, at(floor - 1)) == "time_implausible");
  CHECK(verdict_on(processor, at(-kSecond)) == "time_implausible");
  CHECK(verdict_on(processor, at(std::numeric_limits<std::int64_t>::min())) == "time_implausible");
  CHECK(verdict_on(processor, at(kNow + 300 * kSecond)).empty());
  CHECK(verdict_on(processor, at(kNow + 300 * kSecond + 1)) == "time_future");
  CHECK(verdict_on(processor, at(hb::codec::kMaxTimeUs)) == "time_future");
  CHECK(verdict_on(processor, at(hb::codec::kMaxTimeUs + 1)) == "time_implausible");
  CHECK(verdict_on(processor, at(std::numeric_limits<std::int64_t>::max())) == "time_implausible");

  ValidateProcessor other = processor_with({.earliest = "2020-01-01T00:00:00Z", .max_future = std::chrono::seconds(0)});
  CHECK(verdict_on(other, at(1'577'836'799 * kSecond)) == "time_implausible");
  CHECK(verdict_on(other, at(kNow)).empty());
  CHECK(verdict_on(other, at(kNow + 1)) == "time_future");
}

TEST_CASE("a wrong clock can be replaced by the time of receipt, and is flagged") {
  ValidateProcessor processor = processor_with({.clock = ValidateProcessor::Clock::receive});
  Reading future = at(kNow + 400 * kSecond);
  future.flags = HB_FLAG_HIGH;
  hb::testing::TestBatch batch({at(17'217'869 * kSecond), future, at(kNow - kSecond)});
  const std::vector<Reading> kept = batch.process(processor);
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].time_us == kNow);
  CHECK(kept[0].flags == HB_FLAG_CLOCK);
  CHECK(kept[1].time_us == kNow);
  CHECK(kept[1].flags == (HB_FLAG_HIGH | HB_FLAG_CLOCK));
  CHECK(kept[2].time_us == kNow - kSecond);
  CHECK(kept[2].flags == 0);
}

TEST_CASE("customer ids that mislead or do not fit are rejected") {
  ValidateProcessor processor = processor_with();
  CHECK(verdict_on(processor, make_reading("J\xc3\xbcrgen", kNow, 72)).empty());
  CHECK(verdict_on(processor, make_reading("a\nb", kNow, 72)) == "bad_customer_id");
  CHECK(verdict_on(processor, make_reading("a\xe2\x80\xae", kNow, 72)) == "bad_customer_id");
  CHECK(verdict_on(processor, make_reading("\xff", kNow, 72)) == "bad_customer_id");
  Reading empty = with_rate(72);
  std::memset(empty.customer_id, 0, sizeof empty.customer_id);
  CHECK(verdict_on(processor, empty) == "missing_customer_id");
  Reading unterminated = with_rate(72);
  std::memset(unterminated.customer_id, 'x', sizeof unterminated.customer_id);
  CHECK(verdict_on(processor, unterminated) == "bad_customer_id");
}

TEST_CASE("one bad reading does not cost its neighbours") {
  ValidateProcessor processor = processor_with();
  hb::testing::TestBatch batch({with_rate(60), with_rate(0), with_rate(61), with_rate(999), with_rate(62)});
  const std::vector<Reading> kept = batch.process(processor);
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].heart_rate == 60);
  CHECK(kept[1].heart_rate == 61);
  CHECK(kept[2].heart_rate == 62);
}

TEST_CASE("bounds that cannot hold are refused at once") {
  CHECK_THROWS_AS(processor_with({.min_heart_rate = 100, .max_heart_rate = 50}), hb::Failed);
  CHECK_THROWS_AS(processor_with({.earliest = "1980"}), hb::Failed);
}

TEST_CASE("the option table has the documented defaults") {
  for (const hb_option& option : hb::option_table<ValidateProcessor, ValidateProcessor::Config>()) {
    const std::string key = option.key;
    const std::string expected = key == "min_heart_rate"   ? "1"
                                 : key == "max_heart_rate" ? "300"
                                 : key == "earliest"       ? "\"1980-01-01T00:00:00Z\""
                                 : key == "max_future"     ? "\"5m\""
                                                           : "\"reject\"";
    CHECK(std::string(option.default_text) == expected);
  }
}
