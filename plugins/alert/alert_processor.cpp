#include "alert_processor.hpp"

#include <string>

namespace hb::alert {
namespace {

std::int64_t us(std::chrono::microseconds time) {
  return time.count();
}

Limits limits_of(const AlertProcessor::Config& config) {
  if (config.low > 0 && config.high > 0 && config.low >= config.high) {
    throw Failed("low = " + std::to_string(config.low) + " is not below high = " + std::to_string(config.high));
  }
  if (config.high > 0 && config.high <= config.hysteresis) {
    throw Failed("hysteresis = " + std::to_string(config.hysteresis) + ": with high = " + std::to_string(config.high) +
                 " no rate would end an alert");
  }
  if (config.low > 0 && config.high > 0 && config.low + config.hysteresis > config.high - config.hysteresis) {
    throw Failed("hysteresis = " + std::to_string(config.hysteresis) + ": between low = " + std::to_string(config.low) +
                 " and high = " + std::to_string(config.high) + " no rate would end an alert");
  }
  return {config.low,
          config.high,
          config.hysteresis,
          us(config.min_duration),
          config.jump,
          us(config.jump_within),
          us(config.forget_after)};
}

}  // namespace

AlertProcessor::AlertProcessor(const Config& config, hb::Host host)
    : host_(host), limits_(limits_of(config)), customers_(static_cast<std::size_t>(config.max_customers)) {}

// What an agent before this one has flagged stays flagged.
void AlertProcessor::process(hb::MutableBatch& batch) {
  for (Reading& reading : batch) {
    reading.flags |= customers_[reading].judge(limits_, reading.time_us, reading.heart_rate);
  }
  const std::size_t forgotten = customers_.take_forgotten();
  if (forgotten == 0 || told_) return;
  told_ = true;
  host_.warn("more customers than max_customers: " + std::to_string(forgotten) +
             " were forgotten, and begin without an alert when they are back; it is not told again");
}

}  // namespace hb::alert
