// Compares the readings that ought to be stored with those that are.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reading_queue.hpp"

namespace hbagent {

struct Findings {
  struct Missing {
    std::string customer;
    std::int64_t from_us = 0, to_us = 0;  // the first and the last of them
    std::uint64_t count = 0;              // one behind the other, as the customer's readings come
  };
  struct Doubled {
    std::string customer;
    std::int64_t time_us = 0;
    std::uint64_t times = 0;  // that it is stored
  };
  struct Changed {
    std::string customer;
    std::int64_t time_us = 0;
    std::int32_t expected = 0, found = 0;  // beats per minute
  };
  struct Foreign {
    std::string customer;
    std::int64_t time_us = 0;
    std::int32_t heart_rate = 0;
  };

  // Readings: expected = stored + missing. `doubled` and `changed` are among the stored ones, `foreign` are rows beside
  // them, and `excused` were not there and need not be.
  std::uint64_t expected = 0, stored = 0, missing = 0, doubled = 0, changed = 0, foreign = 0, excused = 0;
  std::uint64_t gaps = 0;  // spans of missing ones
  // The first of each kind.
  std::vector<Missing> missing_spans;
  std::vector<Doubled> doubled_readings;
  std::vector<Changed> changed_readings;
  std::vector<Foreign> foreign_readings;

  bool clean() const { return missing + doubled + changed + foreign == 0; }
};

class GapFinder {
 public:
  struct Rules {
    std::size_t shown = 20;  // of each kind
    // Whether a row of this customer is any of our business.
    std::function<bool(std::string_view customer)> ours;
    // Whether a reading that is not stored is accounted for elsewhere.
    std::function<bool(const hb_reading&)> excused;
  };
  explicit GapFinder(Rules rules) : rules_(std::move(rules)) {}

  // Both are in the order of their times, the stored ones of one time in that of their customers' bytes. Throws
  // std::runtime_error where they are not, and what the streams throw.
  Findings compare(ReadingStream& expected, ReadingStream& stored);

 private:
  void found(const hb_reading& reading, const hb_reading& row, std::uint64_t times, std::int32_t other_rate);
  void not_found(const hb_reading& reading);
  void foreign(const hb_reading& row);

  Rules rules_;
  Findings findings_;
  std::unordered_map<std::string, std::size_t> open_;  // customers within a gap, and which of missing_spans it is
};

}  // namespace hbagent
