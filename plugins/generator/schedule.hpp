// What one customer does on each day: sleeps, moves about, works out; and what goes wrong. Each is a sequence of events
// that is a pure function of the key, the customer and the local day, so it can be entered at any tick.
#pragma once

#include <cstdint>

namespace generator {

// Starts an hour and customer, by kind. The times between starts are exponential.
struct OutlierRates {
  double tachycardia = 0;
  double bradycardia = 0;
  double sensor_dropout = 0;
  double motion_spike = 0;
};

// The model's clock: ticks of `tick_us` since the Unix epoch.
struct Clock {
  std::int64_t tick_us = 1'000'000;
};

inline constexpr std::int64_t kDayUs = 86'400'000'000;
inline constexpr std::int32_t kBpm = 1 << 16;  // heart rates within the model: 1/65536 bpm

// What holds for a customer from one tick up to, and without, `until`.
struct Conditions {
  std::int64_t until = 0;
  std::int32_t effort = 0;   // the demand of movement above rest, 1/65536 bpm
  std::int32_t episode = 0;  // > 0: tachycardia, < 0: bradycardia, at this rate; in 1/65536 bpm
  std::int16_t spike = 0;    // added to what the sensor says, bpm
  bool dropout = false;      // the sensor lost contact: it says 0
  bool asleep = false;
};

// One customer's events. About 100 bytes.
class Schedule {
 public:
  Schedule() = default;
  explicit Schedule(std::uint64_t key);

  // The conditions at `tick`. Cheap when ticks rise; an earlier tick, or another day, starts at that day's midnight.
  const Conditions& at(std::int64_t tick, Clock clock, const OutlierRates& rates) {
    if (tick >= now_.until || tick < since_) seek(tick, clock, rates);
    return now_;
  }

  // Heart rate at rest on that local day, bpm: the customer's own plus the day's.
  double rest(std::int64_t day) const;
  // The customer's local time is UTC plus this: early and late risers.
  std::int64_t local_shift_us() const { return shift_us_; }

 private:
  // Ticks from the local midnight; begin == end: none.
  struct Span {
    std::int32_t begin = 0;
    std::int32_t end = 0;
    std::int32_t value = 0;
    std::uint32_t index = 0;
  };
  struct Day;  // the sequences' parameters, while seeking

  void seek(std::int64_t tick, Clock clock, const OutlierRates& rates);
  void begin_day(const Day& day);
  void combine(std::int32_t tick, std::int32_t day_end);

  std::uint64_t key_ = 0;
  std::int64_t shift_us_ = 0;
  std::int64_t midnight_ = 0;  // the tick of it
  std::int64_t day_ = INT64_MIN;
  std::int64_t since_ = 0;
  Conditions now_;
  std::int32_t wake_ = 0;
  std::int32_t bed_ = 0;
  Span workout_, bout_, episode_, next_episode_, fault_, next_fault_;
};

}  // namespace generator
