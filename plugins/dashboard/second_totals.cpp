#include "second_totals.hpp"

#include <algorithm>

namespace hb::dashboard {

std::size_t Distribution::bin(std::int32_t heart_rate) {
  constexpr std::int32_t last = kFrom + kStep * (static_cast<std::int32_t>(kBins) - 1);
  return static_cast<std::size_t>((std::clamp(heart_rate, kFrom, last) - kFrom) / kStep);
}

SecondTotals::Second& SecondTotals::at(std::int64_t second) {
  const auto size = static_cast<std::int64_t>(seconds_.size());
  return seconds_[static_cast<std::size_t>(((second % size) + size) % size)];
}

void SecondTotals::restart(std::int64_t now) {
  std::fill(seconds_.begin(), seconds_.end(), Second{});
  now_ = now;
  count_ = 0;
  sum_ = 0;
  bins_ = {};
}

void SecondTotals::advance(std::int64_t now) {
  const auto size = static_cast<std::int64_t>(seconds_.size());
  if (now - now_ >= size) return restart(now);
  for (; now_ < now; ++now_) {
    Second& leaving = at(now_ + kFutureSeconds + 1);  // the oldest one's place is that of the one to come
    if (leaving.count == 0) continue;
    count_ -= leaving.count;
    sum_ -= leaving.sum;
    for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] -= leaving.bins[i];
    leaving = {};
  }
}

void SecondTotals::add(std::int64_t second, std::int32_t heart_rate) {
  Second& one = at(second);
  const std::size_t bin = Distribution::bin(heart_rate);
  ++one.count;
  one.sum += heart_rate;
  one.minimum = std::min(one.minimum, heart_rate);
  one.maximum = std::max(one.maximum, heart_rate);
  ++one.bins[bin];
  ++count_;
  sum_ += heart_rate;
  ++bins_[bin];
}

SecondTotals::Summary SecondTotals::summary() const {
  Summary summary{count_, sum_, std::nullopt, std::nullopt, bins_};
  if (count_ == 0) return summary;
  std::int32_t minimum = INT32_MAX;
  std::int32_t maximum = INT32_MIN;
  for (const Second& second : seconds_) {
    minimum = std::min(minimum, second.minimum);
    maximum = std::max(maximum, second.maximum);
  }
  summary.minimum = minimum;
  summary.maximum = maximum;
  return summary;
}

}  // namespace hb::dashboard
