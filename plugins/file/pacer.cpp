#include "pacer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace hb::file {

std::optional<double> parse_speed(std::string_view text) {
  if (text == "max") return 0.0;
  if (text == "realtime") return 1.0;
  if (text.ends_with('x')) text.remove_suffix(1);
  double factor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(factor) || factor < 1e-6 || factor > 1e9) return std::nullopt;
  return factor;
}

Pacer::Clock::time_point Pacer::due(std::int64_t time_us, Clock::time_point now) {
  if (at_once()) return now;
  if (!started_) {
    started_ = true;
    first_us_ = time_us;
    started_at_ = now;
  }
  // A century is beyond every wait and far from overflow.
  constexpr double kLongest = 3.2e15;
  const double distance = (static_cast<double>(time_us) - static_cast<double>(first_us_)) / speed_;
  return started_at_ + std::chrono::microseconds(static_cast<std::int64_t>(std::clamp(distance, 0.0, kLongest)));
}

}  // namespace hb::file
