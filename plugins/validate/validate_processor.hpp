// Keeps readings that can be a heart rate of a person at a time, and says why not of the others.
#pragma once

#include <hbagent/sdk.hpp>
#include <hbcommon/reason.hpp>

#include <chrono>
#include <cstdint>
#include <string>

class ValidateProcessor {
 public:
  enum class Clock { reject, receive };
  struct Config {
    std::int32_t min_heart_rate = 1;
    std::int32_t max_heart_rate = 300;
    std::string earliest = "1980-01-01T00:00:00Z";
    std::chrono::seconds max_future{300};
    Clock clock = Clock::reject;
  };
  static constexpr auto options = hb::options(
      hb::option("min_heart_rate", &Config::min_heart_rate, "Beats per minute below this are rejected.").range(1, 1000),
      hb::option("max_heart_rate", &Config::max_heart_rate, "Beats per minute above this are rejected.").range(1, 1000),
      hb::option("earliest", &Config::earliest,
                 "Times before this are implausible: a device that lost its clock counts from 1970 or 1980."),
      hb::option("max_future", &Config::max_future, "How far ahead of the time of receipt a reading may be dated.")
          .range(std::chrono::seconds(0), std::chrono::hours(24 * 36500)),
      hb::option("clock", &Config::clock,
                 "Readings dated before `earliest` or too far ahead: reject them, or \"receive\": keep them under the "
                 "time of receipt, with the flag `clock`.")
          .choices("reject", "receive"));

  // Throws hb::Failed where the bounds contradict each other or `earliest` is no time.
  ValidateProcessor(const Config& config, hb::Host host);
  void process(hb::MutableBatch& batch);

 private:
  hb::codec::Outcome check(hb::Reading& reading) const;
  hb::codec::Outcome check_time(hb::Reading& reading) const;

  Config config_;
  std::int64_t earliest_us_ = 0;
  std::int64_t max_future_us_ = 0;
};
