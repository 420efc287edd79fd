#include "board.hpp"

#include <algorithm>

namespace hb::dashboard {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::uint16_t kKnownFlags = HB_FLAG_LOW | HB_FLAG_HIGH | HB_FLAG_JUMP | HB_FLAG_FLATLINE | HB_FLAG_CLOCK;

// Rounds down, also before the epoch.
std::int64_t second_of(std::int64_t time_us) {
  return time_us / kSecond - (time_us % kSecond < 0 ? 1 : 0);
}

}  // namespace

Board::Board(const Config& config) : config_(config), window_(config.window.count()), totals_(window_) {
  index_.reserve(std::min<std::size_t>(config.max_customers, 16'384));
}

void Board::add(std::span<const Reading> readings, std::int64_t now_us, std::vector<std::uint32_t>& duplicates) {
  const std::int64_t now = advance(now_us);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const Reading& reading = readings[i];
    Customer& one = customer(customer_id(reading));
    to_newest(one);
    if (one.has_come(reading.time_us)) {
      duplicates.push_back(static_cast<std::uint32_t>(i));
      continue;
    }
    const std::int64_t measured = second_of(reading.time_us);
    const bool on_axis = measured > now - window_ && measured <= now + kFutureSeconds;
    // Where the axis waits for a clock that was set back, `now` is ahead of it.
    const std::int64_t slot_us = on_axis ? reading.time_us : std::max(now_us, now * kSecond);
    const std::int64_t slot = second_of(slot_us);
    const auto flags = static_cast<std::uint16_t>(reading.flags & kKnownFlags);
    one.note_time(reading.time_us);
    one.ring.put(slot, reading.heart_rate, flags);
    totals_.add(slot, reading.heart_rate);
    arrivals_.add(std::max(now_us, now * kSecond), reading.time_us);
    ++readings_;
    if (one.newest_slot_us == INT64_MIN || slot >= second_of(one.newest_slot_us)) take_newest(one, reading, slot_us);
  }
}

void Board::take_newest(Customer& customer, const Reading& reading, std::int64_t slot_us) {
  const std::uint16_t before = customer.flags;
  customer.flags = static_cast<std::uint16_t>(reading.flags & kKnownFlags);
  customer.heart_rate = reading.heart_rate;
  customer.time_us = reading.time_us;
  customer.newest_slot_us = slot_us;
  if (customer.flags != before) note_alerts(customer, reading, before);
}

void Board::note_alerts(const Customer& customer, const Reading& reading, std::uint16_t before) {
  for (std::uint16_t kind = HB_FLAG_LOW; kind <= HB_FLAG_CLOCK; kind = static_cast<std::uint16_t>(kind << 1)) {
    if (((customer.flags ^ before) & kind) == 0) continue;
    alerts_.push_front({++alert_count_, reading.time_us, std::string(customer.id()), reading.heart_rate, kind,
                        (customer.flags & kind) != 0});
    if (alerts_.size() > kMaxAlerts) alerts_.pop_back();
  }
}

std::int64_t Board::advance(std::int64_t now_us) {
  const std::int64_t now = second_of(now_us);
  if (now_ == INT64_MIN || now < now_ - kClockSlack) {
    restart(now_us);
  } else if (now > now_) {
    now_ = now;
    totals_.advance(now);
  }
  return now_;
}

// Slots of a time that has not come yet cannot be told from those of the last round: they go.
void Board::restart(std::int64_t now_us) {
  now_ = second_of(now_us);
  totals_.restart(now_);
  arrivals_.restart();
  for (const auto& one : customers_) {
    one->ring.clear();
    one->newest_slot_us = std::min(one->newest_slot_us, now_us);
  }
}

// The one of that id, new where there is none; then the one that has been silent longest may have to make room.
Customer& Board::customer(std::string_view id) {
  const auto found = index_.find(id);
  if (found != index_.end()) return *found->second;
  Customer* one = nullptr;
  if (customers_.size() < config_.max_customers) {
    customers_.push_back(std::make_unique<Customer>(window_ + kFutureSeconds));
    one = customers_.back().get();
  } else {
    one = oldest_;
    index_.erase(one->id());
    unlink(*one);
    ++evicted_;
  }
  one->begin(id);
  one->older = newest_;
  one->newer = nullptr;
  (newest_ == nullptr ? oldest_ : newest_->newer) = one;
  newest_ = one;
  index_.emplace(one->id(), one);
  return *one;
}

void Board::unlink(Customer& customer) {
  (customer.older == nullptr ? oldest_ : customer.older->newer) = customer.newer;
  (customer.newer == nullptr ? newest_ : customer.newer->older) = customer.older;
}

void Board::to_newest(Customer& customer) {
  if (&customer == newest_) return;
  unlink(customer);
  customer.older = newest_;
  customer.newer = nullptr;
  newest_->newer = &customer;
  newest_ = &customer;
}

}  // namespace hb::dashboard
