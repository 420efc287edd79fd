// Source of realistic synthetic heart rates for any number of customers, reproducible from a seed. README.md describes
// the model, the cadence and what resumes.
#pragma once

#include <chrono>
#include <cstdint>
#include <hbagent/sdk.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cadence.hpp"
#include "heart_model.hpp"
#include "id_pattern.hpp"
#include "position_file.hpp"
#include "reading_writer.hpp"

class GeneratorSource {
 public:
  struct Outliers {
    double tachycardia = 0.02;
    double bradycardia = 0.02;
    double sensor_dropout = 0;
    double motion_spike = 0.25;
    static constexpr auto options = hb::options(
        hb::option("tachycardia", &Outliers::tachycardia, "Episodes of 130 to 185 bpm, 1 to 10 minutes.")
            .range(0, 3600),
        hb::option("bradycardia", &Outliers::bradycardia, "Episodes of 30 to 40 bpm, 1 to 10 minutes.").range(0, 3600),
        hb::option("sensor_dropout", &Outliers::sensor_dropout,
                   "Contact lost: readings of 0 bpm for seconds to minutes, which `validate` discards.")
            .range(0, 3600),
        hb::option("motion_spike", &Outliers::motion_spike, "Jumps of 15 to 70 bpm for 1 to 3 seconds.")
            .range(0, 3600));
  };
  struct Config {
    std::uint32_t customers = 10;
    std::optional<std::chrono::microseconds> interval;
    std::optional<double> rate;
    std::uint64_t count = 0;
    std::uint64_t seed = 1;
    std::string start = "now";
    std::string speed = "realtime";
    std::string id_pattern = "cust_{:05}";
    Outliers outliers;
    bool resume = false;
    std::uint32_t batch_size = 2048;
  };
  static constexpr std::uint32_t kMaxCustomers = 10'000'000;
  static constexpr auto options = hb::options(
      hb::option("customers", &Config::customers, "Number of customers.").range(1, kMaxCustomers),
      hb::option("interval", &Config::interval, "Time between two readings of one customer; \"1s\" unless rate is set.")
          .range(std::chrono::microseconds(1), std::chrono::hours(1))
          .example("\"1s\""),
      hb::option("rate", &Config::rate,
                 "Readings a second of all customers, instead of interval; the interval is rounded to whole "
                 "microseconds.")
          .range(1e-6, 1e9)
          .example("10.0"),
      hb::option("count", &Config::count, "End after so many readings; 0: go on without end.").min(0),
      hb::option("seed", &Config::seed, "The same seed gives the same readings, on every machine.").min(0),
      hb::option("start", &Config::start, "Time of the first reading: \"now\", or such as \"2026-01-01T00:00:00Z\"."),
      hb::option("speed", &Config::speed,
                 "How fast that time passes: \"realtime\", a factor such as \"60\", or \"max\": as fast as the "
                 "pipeline takes the readings."),
      hb::option("id_pattern", &Config::id_pattern,
                 "Customer ids, at most 41 bytes: {} is the number from 0, {:05} pads it with zeros."),
      hb::option("outliers", &Config::outliers,
                 "How often what goes wrong begins, by kind: times an hour and customer."),
      hb::option("resume", &Config::resume,
                 "After a restart go on behind the last reading that was safe; false: begin at start again."),
      hb::option("batch_size", &Config::batch_size, "Readings handed on at once, at most.").range(1, 65536));

  // Throws hb::Failed where the options do not fit together.
  GeneratorSource(const Config& config, hb::Host host);

  void open();
  void run();
  void close();

 private:
  // How the time of the readings follows the clock: `reading_us` is due at `clock_us`.
  struct Pace {
    std::int64_t clock_us;
    std::int64_t reading_us;
    double speed;
    std::int64_t reading_time(std::int64_t clock) const {
      return reading_us + static_cast<std::int64_t>(static_cast<double>(clock - clock_us) * speed);
    }
    std::int64_t clock_time(std::int64_t reading) const {
      return clock_us + static_cast<std::int64_t>(static_cast<double>(reading - reading_us) / speed);
    }
  };

  // Shows the window however run ends: by a stop, at the end, or by an exception.
  struct ShowWindow {
    explicit ShowWindow(GeneratorSource& shown) : source(shown) { source.show_window(source.shown_us_); }
    ~ShowWindow() { source.show_window(source.shown_us_); }
    ShowWindow(const ShowWindow&) = delete;
    ShowWindow& operator=(const ShowWindow&) = delete;
    GeneratorSource& source;
  };

  bool runs_with_the_clock() const { return !start_us_ && speed_ == 1.0; }
  void find_position();
  Pace make_pace(std::int64_t now) const;
  std::uint32_t due(const std::optional<Pace>& pace, std::int64_t now) const;
  bool wait_for_next(const Pace& pace, std::int64_t now) const;
  void keep_house(const std::optional<Pace>& pace, std::int64_t now);
  void store_position();
  void show_window(std::int64_t now);
  std::string series() const;

  Config config_;
  hb::Host host_;
  generator::Cadence cadence_;
  generator::IdPattern pattern_;
  std::optional<std::int64_t> start_us_;  // none: now
  std::optional<double> speed_;           // none: max
  std::optional<generator::PositionFile> file_;
  std::unique_ptr<generator::HeartModel> model_;
  std::unique_ptr<generator::ReadingWriter> writer_;
  std::optional<generator::Position> position_;  // none before the first run
  std::optional<generator::Position> stored_;
  std::int64_t end_ = 0;
  std::int64_t kept_house_us_ = 0;
  std::int64_t shown_us_ = 0;
};
