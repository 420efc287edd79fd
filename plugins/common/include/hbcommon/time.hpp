// Times as microseconds since the Unix epoch, UTC, in the proleptic Gregorian calendar: ISO 8601 / RFC 3339 text and
// epoch numbers in, RFC 3339 text out. Nothing is guessed: a time without zone is an error unless a zone is given.
// All functions are pure. [any thread]
#pragma once

#include <hbcommon/number.hpp>
#include <hbcommon/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hb::codec {

inline constexpr std::int64_t kMicrosPerSecond = 1'000'000;
inline constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: what RFC 3339 can write.
inline constexpr std::int64_t kMinTimeUs = -62'167'219'200 * kMicrosPerSecond;
inline constexpr std::int64_t kMaxTimeUs = 253'402'300'800 * kMicrosPerSecond - 1;

// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. REQUIRES: month 1 to 12.
// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept;

// Whether the time lies in the first second of a month, UTC: where a leap second (:60) counts to.
bool is_month_start(std::int64_t time_us) noexcept;

// A date and time as written, before a zone is applied.
struct CivilTime {
  std::int64_t local_us = 0;   // as if the text were UTC
  std::int64_t offset_us = 0;  // east of UTC is positive; only with has_offset
  bool has_offset = false;
  bool date_only = false;
  bool leap_second = false;  // the text said :60; local_us is the second after it, as POSIX counts
};

// Reads the whole of `text`:
//   YYYY-MM-DD [T|t|space] HH:MM:SS [(.|,) one or more digits] [Z|z | (+|-)HH | (+|-)HHMM | (+|-)HH:MM]
// or YYYY-MM-DD alone (date_only). Digits beyond microseconds are cut. 24:00:00 is the end of its day. With an offset,
// a second of 60 is refused unless it is 23:59:60 UTC at the end of a month (ITU-R TF.460); without one, whoever
// applies a zone checks that by is_month_start.
Outcome parse_civil(std::string_view text, CivilTime& out) noexcept;

// parse_civil for a time of day with an offset; all else is bad_time. `time_us` changes on success only.
Outcome parse_time(std::string_view text, std::int64_t& time_us) noexcept;

enum class EpochUnit : std::uint8_t { seconds, milliseconds, microseconds, nanoseconds };

// Time since the epoch, exact, cut (towards the past) to microseconds; time_implausible outside years 0000 to 9999.
Outcome time_from_epoch(std::int64_t value, EpochUnit unit, std::int64_t& time_us) noexcept;
Outcome time_from_epoch(const Decimal& value, EpochUnit unit, std::int64_t& time_us) noexcept;
// The reverse, rounded towards the past. Nanoseconds saturate at the range of int64 (years 1677 to 2262).
std::int64_t epoch_from_time(std::int64_t time_us, EpochUnit unit) noexcept;

// "2026-11-22T10:00:00.123456Z", always this long.
inline constexpr std::size_t kTimeTextSize = 27;
// Writes exactly kTimeTextSize bytes, no NUL. REQUIRES: kMinTimeUs <= time_us <= kMaxTimeUs.
void format_time(std::int64_t time_us, char* out) noexcept;

}  // namespace hb::codec
