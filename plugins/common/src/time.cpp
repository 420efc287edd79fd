#include "hbcommon/time.hpp"

#include <array>
#include <cstring>
#include <limits>

namespace hb::codec {
namespace {

constexpr std::int64_t floor_div(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

constexpr bool is_leap_year(unsigned year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr std::array<std::uint8_t, 13> kDaysInMonth = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

unsigned days_in_month(unsigned year, unsigned month) {
  return month == 2 && is_leap_year(year) ? 29 : kDaysInMonth[month];
}

// Walks over the text; `bad` collects, so that the common path has few branches.
struct Cursor {
  const char* at;
  const char* end;
  bool bad = false;

  std::size_t left() const { return static_cast<std::size_t>(end - at); }
  bool done() const { return at == end; }
  unsigned digit() {
    const unsigned value = static_cast<unsigned char>(*at++) - unsigned{'0'};
    bad |= value > 9;
    return value;
  }
  unsigned two() {
    const unsigned tens = digit();
    return tens * 10 + digit();
  }
  void literal(char wanted) { bad |= *at++ != wanted; }
};

struct Date {
  unsigned year, month, day;
};

constexpr Outcome bad(const char* detail) {
  return {Reason::bad_time, detail};
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Cuts after six digits. REQUIRES: at the separator.
bool read_fraction(Cursor& in, unsigned& micros, bool& zero) {
  ++in.at;
  const char* const first = in.at;
  unsigned weight = 100'000;
  while (!in.done() && is_digit(*in.at)) {
    const unsigned value = in.digit();
    zero &= value == 0;
    micros += value * weight;
    weight /= 10;
  }
  return in.at != first;
}

// Z, +HH, +HHMM or +HH:MM to the end of the text.
bool read_offset(Cursor& in, std::int64_t& offset_us) {
  const char sign = *in.at++;
  if (sign == 'Z' || sign == 'z') return in.done();
  if (sign != '+' && sign != '-') return false;
  const std::size_t size = in.left();
  if (size != 2 && size != 4 && size != 5) return false;
  const unsigned hours = in.two();
  if (size == 5) in.literal(':');
  const unsigned minutes = size > 2 ? in.two() : 0;
  if (in.bad || hours > 23 || minutes > 59) return false;
  offset_us = (std::int64_t{hours} * 60 + minutes) * 60 * kMicrosPerSecond;
  if (sign == '-') offset_us = -offset_us;
  return true;
}

struct CivilDay {
  std::int64_t year;
  unsigned month, day;
};

// The reverse of days_from_civil, by the same author.
CivilDay civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = floor_div(days, 146'097);
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {std::int64_t{year_of_era} + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

constexpr auto kTwoDigits = [] {
  std::array<char, 200> table{};
  for (std::size_t i = 0; i < 100; ++i) {
    table[2 * i] = static_cast<char>('0' + i / 10);
    table[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}();

void put_two(char* out, std::uint32_t value) {
  std::memcpy(out, kTwoDigits.data() + std::size_t{2} * value, 2);
}

constexpr std::int32_t power_of(EpochUnit unit) {
  constexpr std::array<std::int32_t, 4> kPowers = {6, 3, 0, -3};
  return kPowers[static_cast<std::size_t>(unit)];
}

Outcome within_calendar(std::int64_t time_us) {
  if (time_us < kMinTimeUs || time_us > kMaxTimeUs) return {Reason::time_implausible, "outside years 0000 to 9999"};
  return {};
}

}  // namespace

std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = floor_div(year, 400);
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + std::int64_t{day_of_era} - 719'468;
}

bool is_month_start(std::int64_t time_us) noexcept {
  const std::int64_t days = floor_div(time_us, kMicrosPerDay);
  return time_us - days * kMicrosPerDay < kMicrosPerSecond && civil_from_days(days).day == 1;
}

Outcome parse_civil(std::string_view text, CivilTime& out) noexcept {
  Cursor in{text.data(), text.data() + text.size()};
  if (in.left() < 10) return bad("shorter than YYYY-MM-DD");
  Date date{};
  date.year = in.two() * 100;
  date.year += in.two();
  in.literal('-');
  date.month = in.two();
  in.literal('-');
  date.day = in.two();
  if (in.bad) return bad("the date is not YYYY-MM-DD");
  if (date.month < 1 || date.month > 12) return bad("no such month");
  if (date.day < 1 || date.day > days_in_month(date.year, date.month)) return bad("no such day");
  CivilTime time;
  time.local_us = days_from_civil(date.year, date.month, date.day) * kMicrosPerDay;
  if (in.done()) {
    time.date_only = true;
    out = time;
    return {};
  }
  if (in.left() < 9) return bad("the time is not HH:MM:SS");
  const char separator = *in.at++;
  in.bad |= separator != 'T' && separator != 't' && separator != ' ';
  const unsigned hour = in.two();
  in.literal(':');
  const unsigned minute = in.two();
  in.literal(':');
  const unsigned second = in.two();
  if (in.bad) return bad("the time is not HH:MM:SS");
  unsigned micros = 0;
  bool whole = true;
  if (!in.done() && (*in.at == '.' || *in.at == ',') && !read_fraction(in, micros, whole)) {
    return bad("no digit behind the decimal sign");
  }
  if (minute > 59 || hour > 24 || second > 60) return bad("no such time of day");
  if (hour == 24 && (minute != 0 || second != 0 || !whole)) return bad("no such time of day");
  time.leap_second = second == 60;
  time.local_us += ((std::int64_t{hour} * 60 + minute) * 60 + second) * kMicrosPerSecond + micros;
  if (!in.done()) {
    if (!read_offset(in, time.offset_us)) return bad("the zone is not Z, +HH:MM, +HHMM or +HH");
    time.has_offset = true;
    if (time.leap_second && !is_month_start(time.local_us - time.offset_us)) return bad("no leap second there");
  }
  out = time;
  return {};
}

Outcome parse_time(std::string_view text, std::int64_t& time_us) noexcept {
  CivilTime civil;
  if (const Outcome parsed = parse_civil(text, civil); !parsed.ok()) return parsed;
  if (civil.date_only) return bad("a date without a time of day");
  if (!civil.has_offset) return bad("no zone");
  const std::int64_t utc = civil.local_us - civil.offset_us;
  if (const Outcome range = within_calendar(utc); !range.ok()) return range;
  time_us = utc;
  return {};
}

Outcome time_from_epoch(std::int64_t value, EpochUnit unit, std::int64_t& time_us) noexcept {
  std::int64_t scaled = value;
  if (unit == EpochUnit::nanoseconds) {
    scaled = floor_div(value, 1'000);
  } else {
    const std::int64_t factor = unit == EpochUnit::seconds ? 1'000'000 : unit == EpochUnit::milliseconds ? 1'000 : 1;
    if (__builtin_mul_overflow(value, factor, &scaled)) return {Reason::time_implausible, "beyond 64 bits"};
  }
  if (const Outcome range = within_calendar(scaled); !range.ok()) return range;
  time_us = scaled;
  return {};
}

Outcome time_from_epoch(const Decimal& value, EpochUnit unit, std::int64_t& time_us) noexcept {
  std::int64_t scaled = 0;
  if (!to_scaled_integer(value, power_of(unit), scaled)) return {Reason::time_implausible, "beyond 64 bits"};
  if (const Outcome range = within_calendar(scaled); !range.ok()) return range;
  time_us = scaled;
  return {};
}

std::int64_t epoch_from_time(std::int64_t time_us, EpochUnit unit) noexcept {
  switch (unit) {
    case EpochUnit::seconds:
      return floor_div(time_us, 1'000'000);
    case EpochUnit::milliseconds:
      return floor_div(time_us, 1'000);
    case EpochUnit::microseconds:
      return time_us;
    case EpochUnit::nanoseconds:
      break;
  }
  std::int64_t nanos = 0;
  if (!__builtin_mul_overflow(time_us, std::int64_t{1'000}, &nanos)) return nanos;
  return time_us < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

void format_time(std::int64_t time_us, char* out) noexcept {
  const std::int64_t days = floor_div(time_us, kMicrosPerDay);
  const auto of_day = static_cast<std::uint64_t>(time_us - days * kMicrosPerDay);
  const auto micros = static_cast<std::uint32_t>(of_day % 1'000'000);
  const auto seconds = static_cast<std::uint32_t>(of_day / 1'000'000);
  const CivilDay date = civil_from_days(days);
  const auto year = static_cast<std::uint32_t>(date.year);
  std::memcpy(out, "0000-00-00T00:00:00.000000Z", kTimeTextSize);
  put_two(out, year / 100);
  put_two(out + 2, year % 100);
  put_two(out + 5, date.month);
  put_two(out + 8, date.day);
  put_two(out + 11, seconds / 3'600);
  put_two(out + 14, seconds / 60 % 60);
  put_two(out + 17, seconds % 60);
  put_two(out + 20, micros / 10'000);
  put_two(out + 22, micros / 100 % 100);
  put_two(out + 24, micros % 100);
}

}  // namespace hb::codec
