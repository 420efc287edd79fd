#include "partitions.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace postgres {
namespace {

struct CivilTime {
  int year;
  unsigned month, day;
  unsigned hour, minute, second, microsecond;
};

CivilTime civil_time(std::int64_t time_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds(time_us)};
  const auto midnight = floor<days>(time);
  const year_month_day date(midnight);
  const auto rest = static_cast<std::uint64_t>((time - midnight).count());
  const auto part = [&](std::uint64_t unit, std::uint64_t modulus) {
    return static_cast<unsigned>(rest / unit % modulus);
  };
  return {int(date.year()),     unsigned(date.month()), unsigned(date.day()), part(3'600'000'000, 24),
          part(60'000'000, 60), part(1'000'000, 60),    part(1, 1'000'000)};
}

std::int64_t floor_to(std::int64_t time, std::int64_t interval) {
  const auto rest = time % interval;
  return time - (rest < 0 ? rest + interval : rest);
}

// The first range that ends after `time`.
auto first_ending_after(const std::vector<TimeRange>& ranges, std::int64_t time) {
  return std::upper_bound(ranges.begin(), ranges.end(), time,
                          [](std::int64_t value, const TimeRange& range) { return value < range.to; });
}

}  // namespace

Coverage::Coverage(std::vector<TimeRange> ranges, bool everything)
    : ranges_(std::move(ranges)), everything_(everything) {
  std::sort(ranges_.begin(), ranges_.end(), [](const TimeRange& a, const TimeRange& b) { return a.from < b.from; });
}

bool Coverage::covers(std::int64_t time) const {
  if (everything_) return true;
  const auto range = first_ending_after(ranges_, time);
  return range != ranges_.end() && range->from <= time;
}

std::vector<TimeRange> Coverage::missing(std::span<const std::int64_t> times, std::int64_t interval) const {
  std::vector<std::int64_t> sorted(times.begin(), times.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<TimeRange> added;
  for (const auto time : sorted) {
    if (covers(time) || (!added.empty() && time < added.back().to)) continue;
    const auto from = floor_to(time, interval);
    TimeRange range{from, from + interval};
    const auto next = first_ending_after(ranges_, time);
    if (next != ranges_.end()) range.to = std::min(range.to, next->from);
    if (next != ranges_.begin()) range.from = std::max(range.from, std::prev(next)->to);
    added.push_back(range);
  }
  return added;
}

std::string timestamp_text(std::int64_t time_us) {
  const CivilTime t = civil_time(time_us);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02u:%02u:%02u.%06u+00", t.year, t.month, t.day, t.hour, t.minute,
                t.second, t.microsecond);
  return text;
}

std::string partition_name(std::int64_t from_us) {
  const CivilTime t = civil_time(from_us);
  char text[80];
  std::snprintf(text, sizeof text, "heartbeats_p%04d%02u%02u", t.year, t.month, t.day);
  std::string name = text;
  if (t.hour + t.minute + t.second + t.microsecond != 0) {
    std::snprintf(text, sizeof text, "_%02u%02u%02u", t.hour, t.minute, t.second);
    name += text;
  }
  return name;
}

}  // namespace postgres
