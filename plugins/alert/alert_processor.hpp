// Flags the heart rates that somebody should look at.
#pragma once

#include <hbagent/sdk.hpp>
#include <hbcommon/customer_map.hpp>

#include <chrono>
#include <cstdint>

#include "alert_rule.hpp"

namespace hb::alert {

class AlertProcessor {
 public:
  struct Config {
    std::int32_t low = 50;
    std::int32_t high = 120;
    std::int32_t hysteresis = 3;
    std::chrono::milliseconds min_duration{0};
    std::int32_t jump = 0;
    std::chrono::milliseconds jump_within{5'000};
    std::chrono::milliseconds forget_after{300'000};
    std::int64_t max_customers = 1'000'000;
  };
  static constexpr auto options = hb::options(
      hb::option("low", &Config::low, "Beats per minute; below is flagged `low`; 0: never.").range(0, 1000),
      hb::option("high", &Config::high, "Beats per minute; above is flagged `high`; 0: never.").range(0, 1000),
      hb::option("hysteresis", &Config::hysteresis,
                 "Beats per minute: an alert ends when the rate is that far inside the limit, so that one that sways "
                 "around it is a single alert.")
          .range(0, 100),
      hb::option("min_duration", &Config::min_duration,
                 "How long the rate has to stay beyond a limit before readings are flagged; 0s: the first one is.")
          .range(std::chrono::milliseconds(0), std::chrono::hours(24)),
      hb::option("jump", &Config::jump,
                 "Beats per minute: a step of that size from one reading to the next is flagged `jump`; 0: never.")
          .range(0, 1000),
      hb::option("jump_within", &Config::jump_within, "How far apart in time the two readings of a jump may be.")
          .range(std::chrono::milliseconds(1), std::chrono::hours(1)),
      hb::option("forget_after", &Config::forget_after,
                 "After a pause of that length a customer begins anew, without an alert.")
          .range(std::chrono::milliseconds(1000), std::chrono::hours(24)),
      hb::option("max_customers", &Config::max_customers,
                 "The bound in memory, about 140 bytes a customer and source: beyond it those are forgotten whose last "
                 "reading is longest ago.")
          .range(2, 100'000'000));

  // Throws hb::Failed where the limits contradict each other.
  AlertProcessor(const Config& config, hb::Host host);
  void process(hb::MutableBatch& batch);

 private:
  const hb::Host host_;
  const Limits limits_;
  codec::CustomerMap<AlertState> customers_;
  bool told_ = false;
};

}  // namespace hb::alert
