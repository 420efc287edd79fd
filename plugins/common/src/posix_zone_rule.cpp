#include "posix_zone_rule.hpp"

#include "hbcommon/time.hpp"

#include <stdexcept>

namespace hb::codec {
namespace {

class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool skip(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!skip(c)) broken();
  }
  unsigned number(unsigned low, unsigned high) {
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < rest_.size() && digits < 4 && rest_[digits] >= '0' && rest_[digits] <= '9') {
      value = value * 10 + static_cast<unsigned>(rest_[digits++] - '0');
    }
    if (digits == 0 || value < low || value > high) broken();
    rest_.remove_prefix(digits);
    return value;
  }
  // Letters, or anything in angle brackets.
  void name() {
    std::size_t size = 0;
    if (skip('<')) {
      size = rest_.find('>');
      if (size == std::string_view::npos) broken();
      rest_.remove_prefix(size + 1);
      return;
    }
    const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    while (size < rest_.size() && letter(rest_[size])) ++size;
    if (size < 3) broken();
    rest_.remove_prefix(size);
  }
  // [+|-]hh[:mm[:ss]]; hours up to 167 (RFC 8536, section 3.3.1).
  std::int64_t duration_us() {
    const bool negative = skip('-');
    if (!negative) skip('+');
    std::int64_t seconds = std::int64_t{number(0, 167)} * 3600;
    if (skip(':')) seconds += std::int64_t{number(0, 59)} * 60;
    if (skip(':')) seconds += number(0, 59);
    return (negative ? -seconds : seconds) * kMicrosPerSecond;
  }
  PosixZoneRule::Change change() {
    PosixZoneRule::Change out;
    using Kind = PosixZoneRule::Change::Kind;
    if (skip('M')) {
      out.kind = Kind::weekday_of_month;
      out.month = number(1, 12);
      expect('.');
      out.week = number(1, 5);
      expect('.');
      out.weekday = number(0, 6);
    } else if (skip('J')) {
      out.kind = Kind::day_without_leap;
      out.day = number(1, 365);
    } else {
      out.kind = Kind::day_of_year;
      out.day = number(0, 365);
    }
    if (skip('/')) out.time_of_day_us = duration_us();
    return out;
  }
  [[noreturn]] static void broken() { throw std::runtime_error("the rule in its footer is not understood"); }

 private:
  std::string_view rest_;
};

}  // namespace

std::int64_t PosixZoneRule::Change::local_us(std::int64_t year) const {
  std::int64_t days = 0;
  switch (kind) {
    case Kind::weekday_of_month: {
      days = days_from_civil(year, month, 1);
      const auto first_weekday = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
      days += (weekday + 7 - first_weekday) % 7 + 7 * (week - 1);
      const std::int64_t next_month =
          month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, month + 1, 1);
      if (days >= next_month) days -= 7;  // week 5 is the last one
      break;
    }
    case Kind::day_without_leap: {
      const bool leap = days_from_civil(year, 3, 1) - days_from_civil(year, 2, 1) == 29;
      days = days_from_civil(year, 1, 1) + day - 1 + (leap && day > 59 ? 1 : 0);
      break;
    }
    case Kind::day_of_year:
      days = days_from_civil(year, 1, 1) + day;
      break;
  }
  return days * kMicrosPerDay + time_of_day_us;
}

PosixZoneRule PosixZoneRule::parse(std::string_view text) {
  RuleReader in(text);
  PosixZoneRule rule;
  in.name();
  rule.standard_offset_us = -in.duration_us();  // POSIX counts west of Greenwich
  if (in.done()) return rule;
  rule.has_summer = true;
  in.name();
  rule.summer_offset_us = rule.standard_offset_us + 3600 * kMicrosPerSecond;
  if (!in.skip(',')) {
    rule.summer_offset_us = -in.duration_us();
    in.expect(',');
  }
  rule.summer_begin = in.change();
  in.expect(',');
  rule.summer_end = in.change();
  if (!in.done()) RuleReader::broken();
  return rule;
}

}  // namespace hb::codec
