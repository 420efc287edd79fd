#include "hbcommon/time_format.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>

namespace hb::codec {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                      "may",       "june",     "july",     "august",
                                                      "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 7> kDays = {"sunday",   "monday", "tuesday", "wednesday",
                                                   "thursday", "friday", "saturday"};

constexpr Outcome bad(const char* detail) {
  return {Reason::bad_time, detail};
}
constexpr bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What a pattern has found so far.
struct Found {
  unsigned year = 1970, month = 1, day = 1, day_of_year = 0;
  unsigned hour = 0, minute = 0, second = 0, micros = 0;
  bool twelve_hours = false, afternoon = false;
  std::optional<std::int64_t> offset_us, epoch_us;
};

class Matcher {
 public:
  explicit Matcher(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool literal(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool space() {
    while (!rest_.empty() && is_space(rest_[0])) rest_.remove_prefix(1);
    return true;
  }
  // One conversion; false where the text does not have it.
  bool take(char kind, Found& found) {
    switch (kind) {
      case 'Y':
        return number(4, 4, 0, 9999, found.year);
      case 'y':
        if (!number(2, 2, 0, 99, found.year)) return false;
        found.year += found.year < 69 ? 2000 : 1900;
        return true;
      case 'm':
        return number(1, 2, 1, 12, found.month);
      case 'd':
      case 'e':
        return number(1, 2, 1, 31, found.day);
      case 'j':
        return number(1, 3, 1, 366, found.day_of_year);
      case 'H':
        return number(1, 2, 0, 23, found.hour);
      case 'I':
        found.twelve_hours = true;
        return number(1, 2, 1, 12, found.hour);
      case 'M':
        return number(1, 2, 0, 59, found.minute);
      case 'S':
        return number(1, 2, 0, 60, found.second);
      case 'f':
        return fraction(found.micros);
      case 'p':
        return half_day(found.afternoon);
      case 'b':
      case 'B':
      case 'h':
        return name(kMonths, found.month);
      case 'a':
      case 'A': {
        unsigned ignored = 0;
        return name(kDays, ignored);
      }
      case 'z':
        return offset(found.offset_us);
      case 'Z':
        return utc_name(found.offset_us);
      case 's':
        return epoch(found.epoch_us);
      default:
        return false;
    }
  }

 private:
  bool number(std::size_t fewest, std::size_t most, unsigned low, unsigned high, unsigned& out) {
    std::size_t digits = 0;
    unsigned value = 0;
    while (digits < most && digits < rest_.size() && is_digit(rest_[digits])) {
      value = value * 10 + static_cast<unsigned>(rest_[digits++] - '0');
    }
    if (digits < fewest || value < low || value > high) return false;
    rest_.remove_prefix(digits);
    out = value;
    return true;
  }
  bool fraction(unsigned& micros) {
    std::size_t digits = 0;
    unsigned weight = 100'000;
    micros = 0;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits) {
      micros += static_cast<unsigned>(rest_[digits] - '0') * weight;
      weight /= 10;
    }
    rest_.remove_prefix(digits);
    return digits > 0;
  }
  // `word` is lower-case ASCII.
  bool word(std::string_view word) {
    if (rest_.size() < word.size()) return false;
    const auto same = [](char wanted, char c) { return (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) == wanted; };
    if (!std::equal(word.begin(), word.end(), rest_.begin(), same)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool half_day(bool& afternoon) {
    afternoon = word("pm");
    return afternoon || word("am");
  }
  // The full name or its first three letters.
  template <std::size_t Count>
  bool name(const std::array<std::string_view, Count>& names, unsigned& position) {
    for (std::size_t i = 0; i < Count; ++i) {
      if (!word(names[i]) && !word(names[i].substr(0, 3))) continue;
      position = static_cast<unsigned>(i) + 1;
      return true;
    }
    return false;
  }
  bool offset(std::optional<std::int64_t>& out) {
    if (literal('Z') || literal('z')) {
      out = 0;
      return true;
    }
    const bool west = literal('-');
    if (!west && !literal('+')) return false;
    unsigned hours = 0, minutes = 0;
    if (!number(2, 2, 0, 23, hours)) return false;
    const bool colon = literal(':');
    const bool more = colon || (!rest_.empty() && is_digit(rest_[0]));
    if (more && !number(2, 2, 0, 59, minutes)) return false;
    const std::int64_t east = (std::int64_t{hours} * 60 + minutes) * 60 * kMicrosPerSecond;
    out = west ? -east : east;
    return true;
  }
  bool utc_name(std::optional<std::int64_t>& out) {
    out = 0;
    return word("utc") || word("gmt") || word("z");
  }
  bool epoch(std::optional<std::int64_t>& out) {
    Decimal value;
    const char* const end = parse_number(rest_.data(), rest_.data() + rest_.size(), value);
    std::int64_t time = 0;
    if (end == nullptr || !time_from_epoch(value, EpochUnit::seconds, time).ok()) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    out = time;
    return true;
  }

  std::string_view rest_;
};

unsigned days_in_month(unsigned year, unsigned month) {
  const std::int64_t next = month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, month + 1, 1);
  return static_cast<unsigned>(next - days_from_civil(year, month, 1));
}

// Written out, so that a pattern's steps are single fields.
std::string expanded(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char kind = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    switch (kind) {
      case 'F':
        out += "%Y-%m-%d";
        break;
      case 'D':
        out += "%m/%d/%y";
        break;
      case 'T':
        out += "%H:%M:%S";
        break;
      case 'R':
        out += "%H:%M";
        break;
      case '\0':
        out += pattern[i];
        continue;
      default:
        out.append(pattern.substr(i, 2));
    }
    ++i;
  }
  return out;
}

}  // namespace

TimePattern::TimePattern(std::string_view pattern) {
  const std::string text = expanded(pattern);
  std::string kinds;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_space(text[i])) {
      steps_.push_back({' ', '\0'});
    } else if (text[i] != '%') {
      steps_.push_back({'\0', text[i]});
    } else {
      const char kind = i + 1 < text.size() ? text[++i] : '\0';
      if (kind == '%') {
        steps_.push_back({'\0', '%'});
      } else if (kind == 'n' || kind == 't') {
        steps_.push_back({' ', '\0'});
      } else if (kind != '\0' && std::string_view("YymdejHIMSfpbBhaAzZs").find(kind) != std::string_view::npos) {
        steps_.push_back({kind, '\0'});
        kinds += kind;
      } else {
        throw std::invalid_argument(std::string("the pattern's %") + (kind == '\0' ? "" : std::string(1, kind)) +
                                    " is not known");
      }
    }
  }
  const auto any = [&](const char* of) { return kinds.find_first_of(of) != std::string::npos; };
  const bool date = any("Yy") && (any("j") || (any("mbBh") && any("de")));
  if (!date && !any("s")) throw std::invalid_argument("the pattern gives no whole date: year, month and day");
  if (any("I") != any("p")) throw std::invalid_argument("the pattern has %I without %p, or %p without %I");
  has_time_of_day_ = any("HIs");
}

Outcome TimePattern::parse(std::string_view text, CivilTime& out) const {
  Matcher in(text);
  Found found;
  for (const Step& step : steps_) {
    const bool matched = step.kind == ' '    ? in.space()
                         : step.kind == '\0' ? in.literal(step.literal)
                                             : in.take(step.kind, found);
    if (!matched) return bad("the time does not match the pattern");
  }
  if (!in.done()) return bad("the time goes on behind the pattern's end");
  CivilTime time;
  if (found.epoch_us) {
    time.local_us = *found.epoch_us;
    time.has_offset = true;
    out = time;
    return {};
  }
  if (found.day > days_in_month(found.year, found.month)) return bad("no such day");
  std::int64_t days = days_from_civil(found.year, found.month, found.day);
  if (found.day_of_year > 0) {
    days = days_from_civil(found.year, 1, 1) + found.day_of_year - 1;
    if (days >= days_from_civil(found.year + 1, 1, 1)) return bad("no such day");
  }
  unsigned hour = found.hour;
  if (found.twelve_hours) hour = hour % 12 + (found.afternoon ? 12 : 0);
  time.local_us = days * kMicrosPerDay +
                  ((std::int64_t{hour} * 60 + found.minute) * 60 + found.second) * kMicrosPerSecond + found.micros;
  time.leap_second = found.second == 60;
  time.date_only = !has_time_of_day_;
  time.has_offset = found.offset_us.has_value();
  time.offset_us = found.offset_us.value_or(0);
  if (time.leap_second && time.has_offset && !is_month_start(time.local_us - time.offset_us)) {
    return bad("no leap second there");
  }
  out = time;
  return {};
}

TimeReader::TimeReader(const TimeMapping& mapping)
    : format_(mapping.format), numeric_strings_(mapping.numeric_strings), allow_date_only_(mapping.allow_date_only) {
  if (!mapping.naive_zone.empty()) naive_zone_ = TimeZone::load(mapping.naive_zone);
  if (format_ == TimeFormat::strftime) pattern_.emplace_back(mapping.pattern);
}

Outcome TimeReader::to_utc(const CivilTime& civil, std::int64_t& time_us) const {
  if (civil.date_only && !allow_date_only_) return bad("a date without a time of day, and allow_date_only is not set");
  std::int64_t utc = civil.local_us - civil.offset_us;
  if (!civil.has_offset) {
    // A bare date has no zone to name: without naive_zone its midnight is that of UTC.
    if (naive_zone_) {
      utc = naive_zone_->to_utc(civil.local_us);
    } else if (!civil.date_only) {
      return bad("no zone, and naive_zone is not set");
    }
    if (civil.leap_second && !is_month_start(utc)) return bad("no leap second there");
  }
  if (utc < kMinTimeUs || utc > kMaxTimeUs) return {Reason::time_implausible, "outside years 0000 to 9999"};
  time_us = utc;
  return {};
}

Outcome TimeReader::read(std::string_view text, bool is_number, std::int64_t& time_us) const {
  CivilTime civil;
  switch (format_) {
    case TimeFormat::iso8601:
      if (is_number) return bad("a number, where text is configured");
      if (const Outcome parsed = parse_civil(text, civil); !parsed.ok()) return parsed;
      return to_utc(civil, time_us);
    case TimeFormat::strftime:
      if (is_number) return bad("a number, where text is configured");
      if (const Outcome parsed = pattern_.front().parse(text, civil); !parsed.ok()) return parsed;
      return to_utc(civil, time_us);
    default:
      break;
  }
  if (!is_number && !numeric_strings_) return bad("text, where a number is configured");
  Decimal number;
  if (!parse_number(text, number).ok()) return bad("not a number");
  const auto unit = static_cast<EpochUnit>(static_cast<int>(format_) - static_cast<int>(TimeFormat::epoch_s));
  return time_from_epoch(number, unit, time_us);
}

}  // namespace hb::codec
