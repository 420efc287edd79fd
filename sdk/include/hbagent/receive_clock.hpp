// Receive times for a source's readings, none twice.
#ifndef HBAGENT_RECEIVE_CLOCK_HPP
#define HBAGENT_RECEIVE_CLOCK_HPP

#include <hbagent/host.hpp>

#include <algorithm>
#include <cstdint>

namespace hb {

// Readings are taken many at a time, but a receive time may become a reading's time (a device without a clock, or with
// a wrong one), and stores know a reading by customer and time: two of one customer must not have the same. So each is
// received at least 1 us after the one before. Where more than a million a second come for long, their times run ahead
// of the clock. One thread at a time.
class ReceiveClock {
 public:
  explicit ReceiveClock(Host host) : host_(host) {}

  // Reads the agent's clock: readings are received now, until the next call.
  void tick() {
    const std::int64_t now = host_.now_us();
    // Corrected, and not just adjusted: waiting until it shows this time again could take years.
    if (now < now_us_ - kAdjustment) last_us_ = now - 1;
    now_us_ = now;
  }
  // `received_us` of the next reading, microseconds since the Unix epoch, UTC.
  std::int64_t next() {
    last_us_ = std::max(now_us_, last_us_ + 1);
    return last_us_;
  }
  // Times up to this one were given to readings besides: one next() may be the first of several.
  void used_up_to(std::int64_t received_us) { last_us_ = std::max(last_us_, received_us); }

 private:
  static constexpr std::int64_t kAdjustment = 1'000'000;

  Host host_;
  std::int64_t now_us_ = 0;
  std::int64_t last_us_ = 0;
};

}  // namespace hb

#endif
