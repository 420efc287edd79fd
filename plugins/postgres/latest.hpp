// The newest reading of each customer that is stored but not yet shown in heartrate_data. Not thread-safe.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstddef>
#include <vector>

namespace postgres {

class Latest {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes a stored reading. Cheap: what a customer has several of is thinned out when it gets much.
  void add(const hb::Reading& reading) {
    if (readings_.empty()) since_ = Clock::now();
    readings_.push_back(reading);
    if (readings_.size() >= next_thinning_) thin_out();
  }
  bool empty() const { return readings_.empty(); }
  // At least the number of customers, at most about twice that.
  std::size_t size() const { return readings_.size(); }
  // When the first of them came. Only where not empty.
  Clock::time_point since() const { return since_; }
  // One for each customer, in the order of the table's key, so that writers of the same customers never wait for each
  // other in a circle.
  const std::vector<hb::Reading>& sorted() {
    thin_out();
    return readings_;
  }
  void clear() {
    readings_.clear();
    next_thinning_ = kFirstThinning;
  }

 private:
  static constexpr std::size_t kFirstThinning = 8192;

  void thin_out();

  std::vector<hb::Reading> readings_;
  std::size_t next_thinning_ = kFirstThinning;
  Clock::time_point since_;
};

}  // namespace postgres
