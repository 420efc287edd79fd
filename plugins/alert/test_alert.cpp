#include <hbagent/testing.hpp>

#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "alert_processor.hpp"
#include "support/catch.hpp"

using hb::alert::AlertProcessor;
using hb::alert::AlertState;
using hb::alert::Limits;
using hb::testing::make_reading;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'768'478'400'000'000;  // 2026-01-15T12:00:00Z
constexpr std::uint16_t kLow = HB_FLAG_LOW, kHigh = HB_FLAG_HIGH, kJump = HB_FLAG_JUMP;

const Limits kLimits{.low = 50,
                     .high = 120,
                     .hysteresis = 5,
                     .min_duration_us = 0,
                     .jump = 0,
                     .jump_within_us = 5 * kSecond,
                     .forget_after_us = 300 * kSecond};

// One reading a second; the flags of each.
std::vector<std::uint16_t> judged(const Limits& limits, const std::vector<std::int32_t>& rates) {
  AlertState state;
  std::vector<std::uint16_t> flags;
  std::int64_t time = kStart;
  for (const std::int32_t rate : rates) flags.push_back(state.judge(limits, time += kSecond, rate));
  return flags;
}

AlertProcessor processor_with(const AlertProcessor::Config& config) {
  static const hb::testing::TestHost host;
  return {config, host.host()};
}

std::vector<std::uint16_t> processed(AlertProcessor& processor, const std::vector<hb::Reading>& readings) {
  hb::testing::TestBatch batch(readings);
  std::vector<std::uint16_t> flags;
  for (const hb::Reading& reading : batch.process(processor)) flags.push_back(reading.flags);
  return flags;
}

}  // namespace

TEST_CASE("an alert begins beyond a limit and lasts until the rate is inside by the hysteresis") {
  CHECK(judged(kLimits, {120, 121, 119, 116, 115, 120}) == std::vector<std::uint16_t>{0, kHigh, kHigh, kHigh, 0, 0});
  CHECK(judged(kLimits, {50, 49, 51, 54, 55, 50}) == std::vector<std::uint16_t>{0, kLow, kLow, kLow, 0, 0});
  CHECK(judged(kLimits, {130, 40, 130}) == std::vector<std::uint16_t>{kHigh, kLow, kHigh});
}

TEST_CASE("with a minimum duration only what lasts is an alert") {
  Limits limits = kLimits;
  limits.min_duration_us = 3 * kSecond;
  CHECK(judged(limits, {130, 130, 130, 130, 130, 100}) == std::vector<std::uint16_t>{0, 0, 0, kHigh, kHigh, 0});
  CHECK(judged(limits, {130, 130, 118, 130, 130, 130, 130}) == std::vector<std::uint16_t>{0, 0, 0, 0, 0, 0, kHigh});
}

TEST_CASE("a step from one reading to the next is a jump, not one over a pause") {
  Limits limits = kLimits;
  limits.jump = 40;
  CHECK(judged(limits, {70, 109, 70, 110, 111}) == std::vector<std::uint16_t>{0, 0, 0, kJump, 0});
  AlertState state;
  CHECK(state.judge(limits, kStart, 70) == 0);
  CHECK(state.judge(limits, kStart + 5 * kSecond, 110) == kJump);
  CHECK(state.judge(limits, kStart + 10 * kSecond + 1, 70) == 0);
}

TEST_CASE("a limit of 0 is none") {
  Limits limits = kLimits;
  limits.low = limits.high = 0;
  CHECK(judged(limits, {1, 300, 1}) == std::vector<std::uint16_t>{0, 0, 0});
}

TEST_CASE("after a long pause a customer begins anew") {
  AlertState state;
  CHECK(state.judge(kLimits, kStart, 130) == kHigh);
  CHECK(state.judge(kLimits, kStart + 300 * kSecond, 118) == kHigh);
  CHECK(state.judge(kLimits, kStart + 601 * kSecond, 118) == 0);
}

TEST_CASE("a late reading, or one that comes again, is judged by the alerts that hold and changes nothing") {
  Limits limits = kLimits;
  limits.min_duration_us = 2 * kSecond;
  limits.jump = 20;
  AlertState state;
  for (int i = 0; i < 3; ++i) state.judge(limits, kStart + i * kSecond, 130);
  CHECK(state.judge(limits, kStart + 2 * kSecond, 130) == kHigh);
  CHECK(state.judge(limits, kStart - kSecond, 60) == 0);
  CHECK(state.judge(limits, kStart - kSecond, 40) == 0);
  CHECK(state.judge(limits, kStart + 3 * kSecond, 118) == kHigh);
  AlertState at_once;
  CHECK(at_once.judge(kLimits, kStart, 70) == 0);
  CHECK(at_once.judge(kLimits, kStart - kSecond, 40) == kLow);
  CHECK(at_once.judge(kLimits, kStart + kSecond, 52) == 0);
}

TEST_CASE("one reading that is dated far ahead does not silence its customer") {
  Limits limits = kLimits;
  limits.min_duration_us = 2 * kSecond;
  AlertState state;
  state.judge(limits, kStart, 70);
  state.judge(limits, kStart + 290 * kSecond, 70);
  std::vector<std::uint16_t> flags;
  for (int second = 1; second <= 6; ++second) flags.push_back(state.judge(limits, kStart + second * kSecond, 190));
  CHECK(flags == std::vector<std::uint16_t>{0, 0, 0, 0, kHigh, kHigh});
  // Late ones between those in time are none that show it.
  AlertState two_clocks;
  for (int second = 0; second < 10; ++second) {
    two_clocks.judge(kLimits, kStart + (second + 3) * kSecond, second == 0 ? 130 : 118);
    CHECK(two_clocks.judge(kLimits, kStart + second * kSecond, 118) == 0);
  }
  CHECK(two_clocks.judge(kLimits, kStart + 20 * kSecond, 118) == kHigh);
}

TEST_CASE("times at the ends of their range overflow nothing") {
  AlertState state;
  CHECK(state.judge(kLimits, std::numeric_limits<std::int64_t>::min(), 130) == kHigh);
  CHECK(state.judge(kLimits, std::numeric_limits<std::int64_t>::max(), 118) == 0);
}

TEST_CASE("any sequence is judged as a slow look at the whole history judges it") {
  std::mt19937 dice(7);
  for (int round = 0; round < 300; ++round) {
    Limits limits = kLimits;
    limits.min_duration_us = static_cast<std::int64_t>(dice() % 4) * kSecond;
    limits.hysteresis = static_cast<std::int32_t>(dice() % 10);
    limits.jump = dice() % 2 == 0 ? 0 : 25;
    std::vector<std::pair<std::int64_t, std::int32_t>> history;
    std::int64_t time = kStart;
    AlertState state;
    for (int i = 0; i < 80; ++i) {
      time += static_cast<std::int64_t>(dice() % 50 == 0 ? 400 : 1 + dice() % 7) * kSecond;
      const auto rate = static_cast<std::int32_t>(dice() % 3 == 0 ? 30 + dice() % 120 : 44 + dice() % 12);
      history.emplace_back(time, rate);
      // From the newest pause on, for each side: the last reading inside by the hysteresis ends all before it; an alert
      // began when a row of readings beyond the limit had lasted long enough.
      std::size_t begin = history.size() - 1;
      while (begin > 0 && history[begin].first - history[begin - 1].first <= limits.forget_after_us) --begin;
      const auto holds = [&](const auto& is_beyond, const auto& is_inside) {
        bool on = false;
        for (std::size_t at = begin; at < history.size(); ++at) {
          if (on && is_inside(history[at].second)) on = false;
          std::size_t first = at;
          while (first > begin && is_beyond(history[first].second) && is_beyond(history[first - 1].second)) --first;
          if (is_beyond(history[at].second) && history[at].first - history[first].first >= limits.min_duration_us) {
            on = true;
          }
        }
        return on;
      };
      std::uint16_t expected = 0;
      if (holds([&](auto r) { return r < limits.low; }, [&](auto r) { return r >= limits.low + limits.hysteresis; })) {
        expected |= kLow;
      }
      if (holds([&](auto r) { return r > limits.high; },
                [&](auto r) { return r <= limits.high - limits.hysteresis; })) {
        expected |= kHigh;
      }
      if (limits.jump > 0 && history.size() - begin > 1) {
        const auto& [before_us, before] = history[history.size() - 2];
        if (time - before_us <= limits.jump_within_us && std::abs(rate - before) >= limits.jump) expected |= kJump;
      }
      INFO("round " << round << ", reading " << i);
      REQUIRE(state.judge(limits, time, rate) == expected);
    }
  }
}

TEST_CASE("customers are judged apart, and flags of an agent before this one stay") {
  AlertProcessor processor = processor_with({.low = 50, .high = 120, .hysteresis = 5});
  CHECK(processed(processor, {make_reading("a", kStart, 130), make_reading("b", kStart, 118),
                              make_reading("a", kStart + kSecond, 118), make_reading("b", kStart + kSecond, 118),
                              make_reading("c", kStart, 70, HB_FLAG_CLOCK | HB_FLAG_LOW)}) ==
        std::vector<std::uint16_t>{kHigh, 0, kHigh, 0, HB_FLAG_CLOCK | HB_FLAG_LOW});
}

TEST_CASE("more customers than the bound: those seen last are remembered, and it is told once") {
  hb::testing::TestHost host;
  AlertProcessor processor({.low = 50, .high = 120, .hysteresis = 5, .max_customers = 100}, host.host());
  const auto name = [](int i) { return "c" + std::to_string(i); };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) {
      processed(processor, {make_reading(name(i), kStart + round * kSecond, 130)});
      // One that is seen again and again is never forgotten.
      CHECK(processed(processor, {make_reading("known", kStart + (round * 1000 + i) * kSecond, i == 0 ? 130 : 118)}) ==
            std::vector<std::uint16_t>{kHigh});
    }
  }
  REQUIRE(host.logs().size() == 1);
  CHECK_THAT(host.logs()[0].second, contains_text("more customers than max_customers"));
}

TEST_CASE("limits that contradict each other are refused") {
  CHECK_THROWS_WITH(processor_with({.low = 130, .high = 120}), contains_text("is not below high"));
  CHECK_THROWS_WITH(processor_with({.low = 100, .high = 105, .hysteresis = 3}), contains_text("no rate would end"));
  CHECK_THROWS_WITH(processor_with({.low = 0, .high = 60, .hysteresis = 60}), contains_text("no rate would end"));
  CHECK_NOTHROW(processor_with({.low = 0, .high = 60, .hysteresis = 59}));
}
