#include "alert_rule.hpp"

#include <hbagent/plugin.h>

#include <cstdlib>

namespace hb::alert {
namespace {

constexpr int kLateInARow = 3;

bool is_within(std::int64_t later_us, std::int64_t earlier_us, std::int64_t limit_us) {
  std::int64_t apart = 0;
  return !__builtin_sub_overflow(later_us, earlier_us, &apart) && apart <= limit_us;
}

}  // namespace

bool AlertState::step(Side& side, const Limits& limits, std::int64_t time_us, bool is_beyond, bool is_inside) {
  if (is_beyond && !side.beyond) side.since_us = time_us;
  side.beyond = is_beyond;
  if (side.on) {
    side.on = !is_inside;
  } else if (is_beyond) {
    std::int64_t lasted = 0;
    side.on = __builtin_sub_overflow(time_us, side.since_us, &lasted) || lasted >= limits.min_duration_us;
  }
  return side.on;
}

std::uint16_t AlertState::judge_late(const Limits& limits, bool is_low, bool is_high) const {
  const bool at_once = limits.min_duration_us == 0;
  std::uint16_t flags = 0;
  if (is_low && (low_.on || at_once)) flags |= HB_FLAG_LOW;
  if (is_high && (high_.on || at_once)) flags |= HB_FLAG_HIGH;
  return flags;
}

bool AlertState::is_in_order_again(std::int64_t time_us) {
  late_in_a_row_ = late_in_a_row_ > 0 && time_us > newest_late_us_ ? late_in_a_row_ + 1 : 1;
  newest_late_us_ = time_us;
  return late_in_a_row_ >= kLateInARow;
}

std::uint16_t AlertState::judge(const Limits& limits, std::int64_t time_us, std::int32_t heart_rate) {
  const bool is_low = limits.low > 0 && heart_rate < limits.low;
  const bool is_high = limits.high > 0 && heart_rate > limits.high;
  std::uint16_t flags = 0;
  if (known_ && time_us <= newest_us_) {
    if (!is_in_order_again(time_us)) return judge_late(limits, is_low, is_high);
    *this = {};
  }
  late_in_a_row_ = 0;
  if (known_ && !is_within(time_us, newest_us_, limits.forget_after_us)) *this = {};
  if (known_ && limits.jump > 0 && is_within(time_us, newest_us_, limits.jump_within_us) &&
      std::abs(static_cast<std::int64_t>(heart_rate) - newest_rate_) >= limits.jump) {
    flags |= HB_FLAG_JUMP;
  }
  if (step(low_, limits, time_us, is_low, heart_rate >= limits.low + limits.hysteresis)) flags |= HB_FLAG_LOW;
  if (step(high_, limits, time_us, is_high, heart_rate <= limits.high - limits.hysteresis)) flags |= HB_FLAG_HIGH;
  known_ = true;
  newest_us_ = time_us;
  newest_rate_ = heart_rate;
  return flags;
}

}  // namespace hb::alert
