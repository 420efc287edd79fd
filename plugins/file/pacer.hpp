// When a reading is due: at once, or at its distance in time from the first one, divided by a speed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hb::file {

// "max" is 0, "realtime" 1, "60" or "60x" a factor. nullopt for anything else.
std::optional<double> parse_speed(std::string_view text);

// One file's own clock, set by the first reading that it is asked about.
class Pacer {
 public:
  using Clock = std::chrono::steady_clock;

  // 0: everything is due at once.
  explicit Pacer(double speed) : speed_(speed) {}

  bool at_once() const { return speed_ == 0; }
  // A reading older than the first is due at once.
  Clock::time_point due(std::int64_t time_us, Clock::time_point now);

 private:
  double speed_;
  bool started_ = false;
  std::int64_t first_us_ = 0;
  Clock::time_point started_at_;
};

}  // namespace hb::file
