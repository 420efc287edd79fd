// When readings are made. Reading number `index` is that of customer `index % customers` in slot `index / customers`,
// and its time is exactly
//
//     slot * interval + floor(customer * interval / customers)      in microseconds since the Unix epoch
//
// so the readings of one customer lie exactly `interval` apart, the customers are spread evenly over the interval, and
// times rise with the index.
#pragma once

#include <algorithm>
#include <cstdint>

namespace generator {

struct Cadence {
  std::int64_t interval_us = 1'000'000;  // 1 us to 1 h
  std::int64_t customers = 1;            // at most 10'000'000, and at most 1000 for each us of the interval

  std::int64_t time_us(std::int64_t index) const {
    return index / customers * interval_us + phase_us(index % customers);
  }
  std::int64_t phase_us(std::int64_t customer) const { return customer * interval_us / customers; }

  // The first reading at or after `time_us` (0 or later). All before it are earlier.
  std::int64_t first_at_or_after(std::int64_t time_us) const {
    const std::int64_t slot = time_us / interval_us;
    // The customers whose phase is below the rest: customer * interval < rest * customers.
    const std::int64_t earlier = (time_us % interval_us * customers + interval_us - 1) / interval_us;
    return slot * customers + std::min(earlier, customers);
  }
};

}  // namespace generator
