// Which times the partitions of heartbeats cover, and which to make. Arithmetic only; upkeep.hpp talks to the server.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace postgres {

// Microseconds since the Unix epoch, UTC: from <= time < to. The extremes stand for MINVALUE and MAXVALUE.
struct TimeRange {
  std::int64_t from = std::numeric_limits<std::int64_t>::min();
  std::int64_t to = std::numeric_limits<std::int64_t>::max();
  bool operator==(const TimeRange&) const = default;
};

// The times that have a partition. Immutable, so that it can be shared.
class Coverage {
 public:
  Coverage() = default;
  // `everything`: heartbeats is no partitioned table, or has a default partition.
  Coverage(std::vector<TimeRange> ranges, bool everything);

  bool covers(std::int64_t time) const;
  // The ranges to add so that every one of `times` is covered: multiples of `interval` since the epoch, cut off where
  // a partition of another interval is in the way. Sorted, disjoint.
  std::vector<TimeRange> missing(std::span<const std::int64_t> times, std::int64_t interval) const;
  std::size_t count() const { return ranges_.size(); }

 private:
  std::vector<TimeRange> ranges_;  // sorted, disjoint
  bool everything_ = false;
};

// "2026-11-22 10:00:00.000000+00". For times from year 1 to 9999.
std::string timestamp_text(std::int64_t time_us);
// "heartbeats_p20261122", or "heartbeats_p20261122_100000" where it does not begin at midnight.
std::string partition_name(std::int64_t from_us);

}  // namespace postgres
