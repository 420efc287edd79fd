// The newest reading of each customer that is stored but not yet shown in heartrate_data. Not thread-safe.
#pragma once

#include <hbagent/sdk.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sqlite {

class Latest {
 public:
  using Clock = std::chrono::steady_clock;
  struct Shown {
    std::int64_t time;
    std::int32_t heart_rate;
  };

  void add(const hb::Reading& reading) {
    if (customers_.empty()) {
      since_ = Clock::now();
      low_ = high_ = reading.time_us;
    }
    low_ = std::min(low_, reading.time_us);
    high_ = std::max(high_, reading.time_us);
    const Shown shown{reading.time_us, reading.heart_rate};
    if (const auto found = customers_.find(hb::customer_id(reading)); found == customers_.end()) {
      customers_.emplace(hb::customer_id(reading), shown);
    } else if (found->second.time < shown.time) {
      found->second = shown;
    }
  }
  bool empty() const { return customers_.empty(); }
  std::size_t size() const { return customers_.size(); }
  // When the first of them came, and between which times all of them lie. Only where not empty.
  Clock::time_point since() const { return since_; }
  std::int64_t low() const { return low_; }
  std::int64_t high() const { return high_; }
  const auto& customers() const { return customers_; }
  void clear() { customers_.clear(); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::unordered_map<std::string, Shown, Hash, std::equal_to<>> customers_;
  Clock::time_point since_;
  std::int64_t low_ = 0, high_ = 0;
};

}  // namespace sqlite
