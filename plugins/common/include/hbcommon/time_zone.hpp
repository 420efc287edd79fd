// Local time to UTC for the zones of the system's time zone database (TZif files, RFC 8536).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hb::codec {

// Immutable once loaded. [any thread]
class TimeZone {
 public:
  // "UTC", or a name such as "Europe/Berlin" in $TZDIR or /usr/share/zoneinfo. Throws std::runtime_error, which names
  // the zone, where there is none or its file cannot be understood.
  static std::shared_ptr<const TimeZone> load(const std::string& name);

  // Microseconds of local time (as if it were UTC) to UTC. A time that the clocks skip counts with the offset before
  // the change, so it comes out shifted forward; a time that occurs twice is the first of the two.
  std::int64_t to_utc(std::int64_t local_us) const;

 private:
  struct Period {
    std::int64_t start_us;   // UTC; of the first: the beginning of time
    std::int64_t offset_us;  // east of UTC
  };
  void read_file(const std::string& bytes);
  void extend_by_rule(std::string_view text);

  std::vector<Period> periods_;
};

}  // namespace hb::codec
