#include "arrivals.hpp"

#include <algorithm>

namespace hb::dashboard {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kFarthest = INT64_MAX / 4;  // whatever time a device claims, its lag can be computed

}  // namespace

void Arrivals::add(std::int64_t now_us, std::int64_t time_us) {
  const std::int64_t now = now_us / kSecond;
  if (first_ < 0) first_ = now;
  Second& second = seconds_[static_cast<std::size_t>(now) % seconds_.size()];
  if (second.second != now) second = {now, 0};
  ++second.count;
  Lags& lags = lags_[static_cast<std::size_t>(now) % lags_.size()];
  if (lags.second != now) {
    lags.second = now;
    lags.count = 0;
    lags.sample.clear();
  }
  note(lags, now_us - std::clamp(time_us, -kFarthest, kFarthest));
}

// Reservoir sampling (Vitter 1985, algorithm R): each lag of the second has the same chance to be in the sample.
void Arrivals::note(Lags& lags, std::int64_t lag_us) {
  ++lags.count;
  if (lags.sample.size() < kSample) {
    lags.sample.push_back(lag_us);
    return;
  }
  random_ = random_ * 6364136223846793005 + 1442695040888963407;  // Knuth's MMIX generator
  const std::uint64_t place = (random_ >> 33) % lags.count;
  if (place < kSample) lags.sample[place] = lag_us;
}

double Arrivals::rate(std::int64_t now_us) {
  const std::int64_t now = now_us / kSecond;
  if (first_ < 0) return 0;
  // The first second is no whole one, but until another one has passed it is all that there is.
  const std::int64_t whole = std::clamp<std::int64_t>(now - first_ - 1, 1, kRateSeconds);
  const std::int64_t end = std::max(now, first_ + 1);
  std::uint64_t count = 0;
  for (const Second& second : seconds_) {
    if (second.second >= end - whole && second.second < end) count += second.count;
  }
  return static_cast<double>(count) / static_cast<double>(whole);
}

std::optional<std::int64_t> Arrivals::median_lag_us(std::int64_t now_us) {
  Lags& lags = lags_[static_cast<std::size_t>(now_us / kSecond - 1) % lags_.size()];
  if (lags.second != now_us / kSecond - 1 || lags.sample.empty()) return std::nullopt;
  const auto middle = lags.sample.begin() + static_cast<std::ptrdiff_t>((lags.sample.size() - 1) / 2);
  std::nth_element(lags.sample.begin(), middle, lags.sample.end());
  return *middle;
}

}  // namespace hb::dashboard
