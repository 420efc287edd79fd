// Sink `summary`: a readable line about the stream on standard output, every second: readings a second, heart rates,
// customers, alerts. On a terminal it is refreshed in place.
#pragma once

#include <unistd.h>
#include <hbagent/sdk.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "statistics.hpp"

namespace hb::summary {

class SummarySink {
 public:
  struct Config {
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds active_window{60'000};
  };
  static constexpr auto options = hb::options(hb::option("interval", &Config::interval, "How often a line is shown.")
                                                  .range(std::chrono::milliseconds(100), std::chrono::hours(1)),
                                              hb::option("active_window", &Config::active_window,
                                                         "How long after its last reading a customer counts as active.")
                                                  .range(std::chrono::seconds(1), std::chrono::hours(24)));
  static constexpr std::uint32_t batch_size = 4096;

  // `output` is standard output but in tests.
  SummarySink(const Config& config, Host host, int output = STDOUT_FILENO);

  void open();
  void write(Batch batch);
  // Shows the totals.
  void close();

 private:
  void show_until(const std::stop_token& stop);
  void show(const Summary& summary, const std::stop_token& stop);
  void put(std::string_view text, const std::stop_token& stop);
  std::size_t width() const;

  Config config_;
  Host host_;
  int output_;
  bool terminal_;
  bool broken_ = false;  // standard output takes no more; the printer's, then close's
  // A stream that has stopped must still be shown as stopped, and write is not called then: hence a thread, and a lock
  // on what both touch.
  std::mutex mutex_;
  std::condition_variable_any wake_;
  Statistics statistics_;
  std::jthread printer_;
};

}  // namespace hb::summary
