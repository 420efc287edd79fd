// Takes every reading and keeps none. Shows how many came and how fast as gauges.
#pragma once

#include <hbagent/sdk.hpp>

class NullSink {
 public:
  struct Config {
    bool touch = true;
  };
  static constexpr auto options = hb::options(
      hb::option("touch", &Config::touch, "Read every reading, as a real sink would; false only counts them."));
  static constexpr std::uint32_t batch_size = 4096;

  NullSink(const Config& config, hb::Host host) : config_(config), host_(host) {}

  void write(hb::Batch batch) {
    received_ += batch.size();
    if (config_.touch) {
      for (const hb::Reading& reading : batch) heart_rate_sum_ += reading.heart_rate;
    }
  }
  void close() {
    host_.gauge("received_readings", static_cast<double>(received_));
    if (config_.touch) host_.gauge("heart_rate_sum_bpm", static_cast<double>(heart_rate_sum_));
  }

  std::uint64_t received() const { return received_; }
  std::int64_t heart_rate_sum() const { return heart_rate_sum_; }

 private:
  Config config_;
  hb::Host host_;
  std::uint64_t received_ = 0;
  std::int64_t heart_rate_sum_ = 0;
};
