#include "schedule.hpp"

#include <algorithm>
#include <cmath>

#include "random.hpp"

namespace generator {
namespace {

constexpr std::int32_t kNever = INT32_MAX;
constexpr double kMinute = 60;
constexpr double kHour = 3600;

// Names of the streams below a customer's key and a day's key.
enum Stream : std::uint64_t { kPerson = 1, kDays, kSleep, kWorkout, kBouts, kEpisodes, kFaults };

std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

std::int32_t in_bpm_units(double bpm) {
  return static_cast<std::int32_t>(std::floor(bpm * kBpm + 0.5));
}

// Up or down by chance, so that the sum of many is not too small by half a tick each.
std::int32_t in_ticks(double seconds, Clock clock, std::uint64_t random) {
  const double ticks = std::floor(seconds * 1e6 / static_cast<double>(clock.tick_us) + uniform(random));
  return static_cast<std::int32_t>(std::min(ticks, 1e9));
}

}  // namespace

struct Schedule::Day {
  std::uint64_t key;
  Clock clock;
  const OutlierRates& rates;

  // Draws of one event: its stream, its index and a field of it.
  std::uint64_t draw(Stream stream, std::uint32_t index, std::uint32_t field) const {
    return random_at(sub_key(key, stream), std::uint64_t{index} * 8 + field);
  }
  std::int32_t ticks(double seconds, std::uint64_t random) const { return in_ticks(seconds, clock, random); }

  // Gaps are exponential with mean 25 min, lengths lognormal with median 4 min, heights gamma (shape 2) with mean 18.
  Span bout(std::int32_t after, std::int32_t bed, std::uint32_t index) const {
    const std::uint64_t extra = draw(kBouts, index, 0);
    const std::int32_t gap = ticks(25 * kMinute * waiting_time(draw(kBouts, index, 1)), extra);
    const double length = 4 * kMinute * exponential(0.8 * normal(draw(kBouts, index, 2), 0));
    const double height = 9 * (waiting_time(draw(kBouts, index, 3)) + waiting_time(draw(kBouts, index, 4)));
    if (gap >= bed - after) return {kNever, kNever, 0, index};
    const std::int32_t begin = after + gap;
    const std::int32_t end = begin + std::max(1, ticks(std::clamp(length, 20.0, 45 * kMinute), mix(extra)));
    return {begin, std::min(end, bed), in_bpm_units(std::min(height, 70.0)), index};
  }

  Span workout(std::int32_t wake, std::int32_t bed) const {
    if (uniform(draw(kWorkout, 0, 0)) >= 0.6) return {kNever, kNever, 0, 0};
    const double length = uniform(draw(kWorkout, 0, 1), 20 * kMinute, 60 * kMinute);
    const double height = uniform(draw(kWorkout, 0, 2), 50, 80);
    const auto awake = static_cast<double>(bed - wake);
    const std::int32_t begin = wake + static_cast<std::int32_t>(awake * uniform(draw(kWorkout, 0, 3), 0.05, 0.85));
    return {begin, begin + std::max(1, ticks(length, draw(kWorkout, 0, 4))), in_bpm_units(height), 0};
  }

  // When the event after `before` starts, where two kinds share one Poisson process.
  std::int32_t next_start(Stream stream, std::int32_t before, std::uint32_t index, double per_hour) const {
    if (per_hour <= 0) return kNever;
    const double gap = waiting_time(draw(stream, index, 0)) * kHour / per_hour;
    const std::int32_t gap_ticks = ticks(gap, draw(stream, index, 1));
    return gap_ticks >= kNever - before ? kNever : before + gap_ticks;
  }

  Span episode(std::int32_t before, std::uint32_t index) const {
    const double total = rates.tachycardia + rates.bradycardia;
    const std::int32_t begin = next_start(kEpisodes, before, index, total);
    if (begin == kNever) return {kNever, kNever, 0, index};
    const bool fast = uniform(draw(kEpisodes, index, 2)) * total < rates.tachycardia;
    const std::uint64_t rate = draw(kEpisodes, index, 3);
    const double length = uniform(draw(kEpisodes, index, 4), kMinute, 10 * kMinute);
    const double bpm = fast ? uniform(rate, 130, 185) : -uniform(rate, 30, 40);
    return {begin, begin + std::max(1, ticks(length, draw(kEpisodes, index, 5))), in_bpm_units(bpm), index};
  }

  // value 0: the contact is lost; else a spike of so many bpm.
  Span fault(std::int32_t before, std::uint32_t index) const {
    const double total = rates.sensor_dropout + rates.motion_spike;
    const std::int32_t begin = next_start(kFaults, before, index, total);
    if (begin == kNever) return {kNever, kNever, 0, index};
    const bool lost = uniform(draw(kFaults, index, 2)) * total < rates.sensor_dropout;
    const std::uint64_t random = draw(kFaults, index, 3);
    const double length = lost ? std::min(20 * exponential(normal(random, 0)), 10 * kMinute) : uniform(random, 1, 3);
    const double height = uniform(draw(kFaults, index, 4), 15, 71);
    const bool up = uniform(draw(kFaults, index, 5)) < 0.7;
    const auto value = static_cast<std::int32_t>(lost ? 0 : up ? height : -height);
    return {begin, begin + std::max(1, ticks(length, draw(kFaults, index, 6))), value, index};
  }
};

Schedule::Schedule(std::uint64_t key) : key_(key) {
  shift_us_ = static_cast<std::int64_t>(normal(sub_key(key, kPerson), 0) * kHour * 1e6);
}

double Schedule::rest(std::int64_t day) const {
  const std::uint64_t person = sub_key(key_, kPerson);
  const double sex = (random_at(person, 100) & 1) != 0 ? 1.5 : -1.5;
  const double own = 65.5 + sex + 7.7 * normal(person, 1);
  const double today = 6.6 * normal(sub_key(key_, kDays), static_cast<std::uint64_t>(day));
  return std::clamp(own + today, 40.0, 109.0);
}

void Schedule::seek(std::int64_t tick, Clock clock, const OutlierRates& rates) {
  const std::int64_t day = floor_divide(tick * clock.tick_us + shift_us_, kDayUs);
  const Day today{sub_key(sub_key(key_, kDays), static_cast<std::uint64_t>(day)), clock, rates};
  const std::int64_t midnight_us = day * kDayUs - shift_us_;
  if (day != day_ || tick < since_) {
    day_ = day;
    midnight_ = floor_divide(midnight_us + clock.tick_us - 1, clock.tick_us);  // the first tick of the day
    begin_day(today);
  }
  const std::int64_t next_midnight = floor_divide(midnight_us + kDayUs + clock.tick_us - 1, clock.tick_us);

  const auto now = static_cast<std::int32_t>(tick - midnight_);
  while (bout_.end <= now) bout_ = today.bout(bout_.end, bed_, bout_.index + 1);
  while (next_episode_.begin <= now) {
    episode_ = next_episode_;
    next_episode_ = today.episode(episode_.begin, episode_.index + 1);
  }
  while (next_fault_.begin <= now) {
    fault_ = next_fault_;
    next_fault_ = today.fault(fault_.begin, fault_.index + 1);
  }
  since_ = tick;
  combine(now, static_cast<std::int32_t>(next_midnight - midnight_));
}

void Schedule::begin_day(const Day& day) {
  wake_ = day.ticks(kHour * (7 + 0.4 * normal(day.draw(kSleep, 0, 0), 0)), 0);
  bed_ = day.ticks(kHour * std::min(23 + 0.4 * normal(day.draw(kSleep, 0, 1), 0), 23.9), 0);
  workout_ = day.workout(wake_, bed_);
  bout_ = day.bout(wake_, bed_, 0);
  episode_ = fault_ = {};
  next_episode_ = day.episode(0, 0);
  next_fault_ = day.fault(0, 0);
}

void Schedule::combine(std::int32_t tick, std::int32_t day_end) {
  std::int32_t until = day_end;
  const auto holds = [&](const Span& span) {
    if (tick < span.begin) until = std::min(until, span.begin);
    if (tick < span.begin || tick >= span.end) return false;
    until = std::min(until, span.end);
    return true;
  };
  now_ = {};
  now_.asleep = !holds({wake_, bed_, 0, 0});
  if (holds(bout_)) now_.effort = bout_.value;
  if (holds(workout_)) now_.effort = std::max(now_.effort, workout_.value);
  if (holds(episode_)) now_.episode = episode_.value;
  if (holds(fault_)) {
    now_.dropout = fault_.value == 0;
    now_.spike = static_cast<std::int16_t>(fault_.value);
  }
  until = std::min({until, next_episode_.begin, next_fault_.begin});
  now_.until = midnight_ + until;
}

}  // namespace generator
