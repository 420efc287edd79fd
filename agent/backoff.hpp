// Exponential backoff with jitter.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>

namespace hbagent {

// Waits double from `initial` to `longest`; each is drawn evenly from [half, whole] of its step ("equal jitter", AWS
// Architecture Blog 2015), so that agents that failed together do not return together. Not thread-safe.
class Backoff {
 public:
  using Duration = std::chrono::microseconds;
  Backoff(Duration initial, Duration longest)
      : initial_(std::min(initial, longest)), longest_(longest), step_(initial_) {}

  Duration next() {
    // Not before it is needed: the seed costs some 10 us, and each batch has a backoff that mostly goes unused.
    if (!random_) random_.emplace(std::random_device{}());
    const Duration::rep whole = step_.count();
    step_ = std::min(longest_, step_ * 2);
    return Duration(std::uniform_int_distribution<Duration::rep>(whole / 2, whole)(*random_));
  }
  void reset() { step_ = initial_; }

 private:
  Duration initial_, longest_, step_;
  std::optional<std::minstd_rand> random_;
};

}  // namespace hbagent
