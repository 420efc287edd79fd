// Times as devices write them: ISO 8601, epoch numbers, or a strftime-like pattern, with a zone for those without one.
#pragma once

#include <hbcommon/mapping.hpp>
#include <hbcommon/reason.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/time_zone.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace hb::codec {

// A strftime-like pattern, for reading: %Y %m %d %e %j %b %B %h %y %H %I %p %M %S %f (decimals of a second) %z %Z (only
// "Z", "UTC" or "GMT") %a %A %s %F %T %D %R %n %t %%. Numbers have at most their field's digits, %Y exactly four, %y
// is 1969 to 2068 as POSIX has it. White space in the pattern matches any, also none; all else matches itself.
// Weekdays are read and ignored. Names are the English ones in any case.
class TimePattern {
 public:
  // Throws std::invalid_argument, which says why, where the pattern is not understood or gives no date.
  explicit TimePattern(std::string_view pattern);
  // The whole of `text`; bad_time where it does not match or is no time that exists.
  Outcome parse(std::string_view text, CivilTime& out) const;

 private:
  struct Step {
    char kind;  // the conversion's letter, ' ' for white space, 0 for a literal
    char literal;
  };
  std::vector<Step> steps_;
  bool has_time_of_day_ = false;
};

// Reads times as one TimeMapping says. Immutable. [any thread]
class TimeReader {
 public:
  // Throws std::invalid_argument or std::runtime_error for a pattern or zone that cannot be used.
  explicit TimeReader(const TimeMapping& mapping);

  // Text of a payload: a JSON string, or (`is_number`) a number as written. In CSV everything is both.
  Outcome read(std::string_view text, bool is_number, std::int64_t& time_us) const;
  bool expects_number() const { return format_ != TimeFormat::iso8601 && format_ != TimeFormat::strftime; }

 private:
  Outcome to_utc(const CivilTime& civil, std::int64_t& time_us) const;

  TimeFormat format_;
  bool numeric_strings_;
  bool allow_date_only_;
  std::shared_ptr<const TimeZone> naive_zone_;  // empty: none
  std::vector<TimePattern> pattern_;            // one, or none
};

}  // namespace hb::codec
