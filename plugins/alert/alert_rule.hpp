// When one customer's heart rate is an alert.
#pragma once

#include <cstdint>

namespace hb::alert {

struct Limits {
  std::int32_t low = 0;         // beats per minute; below is `low`; 0: no such alert
  std::int32_t high = 0;        // above is `high`; 0: no such alert
  std::int32_t hysteresis = 0;  // an alert lasts until the rate is this much inside the limit
  std::int64_t min_duration_us = 0;
  std::int32_t jump = 0;  // a step of so many beats per minute is a `jump`; 0: no such alert
  std::int64_t jump_within_us = 0;
  std::int64_t forget_after_us = 0;
};

// What is remembered of one customer.
class AlertState {
 public:
  // The flags of the next reading: HB_FLAG_LOW, _HIGH, _JUMP. Readings come in the order of their times, or late: a
  // late one, not newer than the newest, is judged by the alerts that hold, and changes nothing; the third in a row
  // that is newer than the one before shows that the newest was dated wrongly, and begins anew.
  std::uint16_t judge(const Limits& limits, std::int64_t time_us, std::int32_t heart_rate);

 private:
  std::uint16_t judge_late(const Limits& limits, bool is_low, bool is_high) const;
  bool is_in_order_again(std::int64_t time_us);
  // One limit's side.
  struct Side {
    std::int64_t since_us = 0;  // the first reading in a row beyond the limit
    bool beyond = false;
    bool on = false;
  };
  static bool step(Side& side, const Limits& limits, std::int64_t time_us, bool is_beyond, bool is_inside);

  std::int64_t newest_us_ = 0;
  std::int32_t newest_rate_ = 0;
  bool known_ = false;
  std::uint8_t late_in_a_row_ = 0;  // each newer than the one before
  std::int64_t newest_late_us_ = 0;
  Side low_, high_;
};

}  // namespace hb::alert
