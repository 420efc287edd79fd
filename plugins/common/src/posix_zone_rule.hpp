// The rule for times behind a zone file's table, as POSIX writes TZ: "CET-1CEST,M3.5.0,M10.5.0/3".
#pragma once

#include <cstdint>
#include <string_view>

namespace hb::codec {

struct PosixZoneRule {
  // A change of clocks: the n-th given weekday of a month, or a day of the year, at a time of day.
  struct Change {
    enum class Kind { weekday_of_month, day_without_leap, day_of_year } kind = Kind::weekday_of_month;
    unsigned month = 1, week = 1, weekday = 0;
    unsigned day = 0;
    std::int64_t time_of_day_us = 2 * 3'600'000'000LL;

    // As if the local time before the change were UTC.
    std::int64_t local_us(std::int64_t year) const;
  };

  std::int64_t standard_offset_us = 0;  // east of UTC
  std::int64_t summer_offset_us = 0;
  bool has_summer = false;
  Change summer_begin, summer_end;

  // Throws std::runtime_error where the text is no such rule.
  static PosixZoneRule parse(std::string_view text);
};

}  // namespace hb::codec
