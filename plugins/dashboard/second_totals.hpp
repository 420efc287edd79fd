// What all customers' readings of each second of the window come to, and of the whole window: exact, in memory that
// depends on the window alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace hb::dashboard {

inline constexpr std::int64_t kFutureSeconds = 2;  // a clock may be ahead by so much; its readings keep their time

// Beats per minute, in steps of kStep from kFrom on; what lies beyond an end is in the end.
struct Distribution {
  static constexpr std::int32_t kFrom = 20;
  static constexpr std::int32_t kStep = 5;
  static constexpr std::size_t kBins = 60;
  static std::size_t bin(std::int32_t heart_rate);
};

// The window is the seconds from now - window + 1 to now + kFutureSeconds. Not thread-safe.
class SecondTotals {
 public:
  struct Summary {
    std::uint64_t count = 0;
    std::int64_t sum = 0;
    std::optional<std::int32_t> minimum, maximum;
    std::array<std::uint64_t, Distribution::kBins> bins{};
  };

  // `window`: seconds, 1 or more.
  explicit SecondTotals(std::int64_t window) : seconds_(static_cast<std::size_t>(window + kFutureSeconds)) {}

  // Forgets everything; the window now ends at `now`, in seconds since the epoch.
  void restart(std::int64_t now);
  // Lets go of the seconds that leave the window. REQUIRES: `now` is not before the last one.
  void advance(std::int64_t now);
  // REQUIRES: `second` lies in the window.
  void add(std::int64_t second, std::int32_t heart_rate);
  Summary summary() const;

 private:
  struct Second {
    std::uint64_t count = 0;
    std::int64_t sum = 0;
    std::int32_t minimum = INT32_MAX;
    std::int32_t maximum = INT32_MIN;
    std::array<std::uint32_t, Distribution::kBins> bins{};
  };
  Second& at(std::int64_t second);

  std::vector<Second> seconds_;
  std::int64_t now_ = 0;
  std::uint64_t count_ = 0;
  std::int64_t sum_ = 0;
  std::array<std::uint64_t, Distribution::kBins> bins_{};
};

}  // namespace hb::dashboard
