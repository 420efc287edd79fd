// What the page shows: the last readings of every customer, on a time axis of one slot a second. No network, no clock:
// each call says what time it is. Not thread-safe.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arrivals.hpp"
#include "customer.hpp"
#include "second_totals.hpp"
#include "view.hpp"

namespace hb::dashboard {

class Board {
 public:
  struct Config {
    std::chrono::seconds window{900};
    std::chrono::microseconds stale_after{10'000'000};
    std::size_t max_customers = 10'000;
  };
  // A clock that is set back by more than this begins the time axis anew; by less, the axis waits for it.
  static constexpr std::int64_t kClockSlack = 10;  // seconds

  explicit Board(const Config& config);

  // Takes readings that came at `now_us`, microseconds since the epoch. A reading goes to the slot of its measured time
  // where that lies in the window, else to that of its arrival. Those that have come before, as far as that is known
  // (Customer::has_come), change nothing; their indices are appended to `duplicates`. O(1) a reading, amortised.
  void add(std::span<const Reading> readings, std::int64_t now_us, std::vector<std::uint32_t>& duplicates);

  Overview overview(std::int64_t now_us);
  CustomerList customers(const CustomerQuery& query, std::int64_t now_us);
  // From `since` on, seconds since the epoch, or the beginning of the window where that is later.
  History history(std::span<const std::string> ids, std::optional<std::int64_t> since, std::int64_t now_us);

  std::uint64_t evicted() const { return evicted_; }  // customers that had to make room for others
  std::size_t known() const { return index_.size(); }

 private:
  // The time axis moves on; returns its second that is now.
  std::int64_t advance(std::int64_t now_us);
  void restart(std::int64_t now_us);
  Customer& customer(std::string_view id);
  void to_newest(Customer& customer);
  void unlink(Customer& customer);
  void take_newest(Customer& customer, const Reading& reading, std::int64_t slot_us);
  void note_alerts(const Customer& customer, const Reading& reading, std::uint16_t before);
  bool is_stale(const Customer& customer, std::int64_t now_us) const;
  int severity(const Customer& customer, std::int64_t now_us) const;
  Tile tile(const Customer& customer, std::int64_t now_us) const;
  int trend(const Customer& customer) const;

  const Config config_;
  const std::int64_t window_;  // seconds
  std::int64_t now_ = INT64_MIN;
  SecondTotals totals_;
  Arrivals arrivals_;
  std::uint64_t readings_ = 0;
  std::uint64_t evicted_ = 0;
  std::uint64_t alert_count_ = 0;
  std::deque<Alert> alerts_;  // newest first
  std::vector<std::unique_ptr<Customer>> customers_;
  std::unordered_map<std::string_view, Customer*> index_;  // the ids are those in customers_
  Customer* oldest_ = nullptr;
  Customer* newest_ = nullptr;
};

}  // namespace hb::dashboard
