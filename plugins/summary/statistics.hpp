// What a summary shows: counts since the start, and a window since the last look.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

namespace hb::summary {

using Clock = std::chrono::steady_clock;

// One look at the stream.
struct Summary {
  std::uint64_t total = 0;  // readings since the start
  double rate = 0;          // readings a second since the last look
  // Beats per minute of the readings since the last look; only where there were any.
  std::uint64_t count = 0;
  double average = 0;
  std::int32_t minimum = 0;
  std::int32_t maximum = 0;
  std::size_t customers = 0;  // seen within the active window
  bool more_customers = false;
  std::uint64_t low = 0, high = 0, jump = 0, flatline = 0, clock = 0;  // flagged readings since the start
};

// Not thread-safe. Memory is bounded: customers beyond kMaxCustomers are counted as "more".
class Statistics {
 public:
  static constexpr std::size_t kMaxCustomers = 200'000;

  Statistics(Clock::time_point start, Clock::duration active_window)
      : started_(start), looked_(start), active_window_(active_window) {}

  void add(std::span<const Reading> readings, Clock::time_point now);
  // The state now; begins a new window.
  Summary look(Clock::time_point now);
  // Over the whole time: rate and beats per minute since the start.
  Summary all(Clock::time_point now) const;

 private:
  struct Rates {
    std::uint64_t count = 0;
    std::int64_t sum = 0;
    std::int32_t minimum = INT32_MAX;
    std::int32_t maximum = INT32_MIN;
    void add(const Rates& other);
  };
  void fill(Summary& summary, const Rates& rates, Clock::duration time) const;

  Clock::time_point started_;
  Clock::time_point looked_;
  Clock::duration active_window_;
  Rates window_;
  Rates before_;  // everything before the window
  Summary counts_;
  std::unordered_map<std::uint64_t, Clock::time_point> last_seen_;  // by a hash of the id
  bool more_customers_ = false;
};

// "1,234,567".
std::string grouped(std::uint64_t number);
// One line without its end: rate, total, beats per minute, customers, alerts.
std::string text_of(const Summary& summary);

}  // namespace hb::summary
