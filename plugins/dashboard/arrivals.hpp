// How fast readings come in, and how late. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace hb::dashboard {

class Arrivals {
 public:
  static constexpr std::int64_t kRateSeconds = 5;
  static constexpr std::size_t kSample = 2048;  // lags a second that the median is taken of; all of them up to so many

  // A reading came at `now_us` that was measured at `time_us`: microseconds since the epoch.
  void add(std::int64_t now_us, std::int64_t time_us);
  // Readings a second in the last five whole seconds, or in as many as there were since the first reading.
  double rate(std::int64_t now_us);
  // Median of arrival - measured of the last whole second's readings, in microseconds. Of more than kSample it is that
  // of a random sample. None: no reading came.
  std::optional<std::int64_t> median_lag_us(std::int64_t now_us);
  void restart() { *this = {}; }

 private:
  struct Second {
    std::int64_t second = -1;
    std::uint64_t count = 0;
  };
  struct Lags {
    std::int64_t second = -1;
    std::uint64_t count = 0;
    std::vector<std::int64_t> sample;
  };
  void note(Lags& lags, std::int64_t lag_us);

  std::array<Second, kRateSeconds + 1> seconds_{};
  std::array<Lags, 2> lags_{};  // of even and odd seconds
  std::int64_t first_ = -1;
  std::uint64_t random_ = 0x9E3779B97F4A7C15;
};

}  // namespace hb::dashboard
