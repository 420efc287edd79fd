// What is looked at: the wall, lists of customers, series.
#include <algorithm>
#include <cctype>

#include "board.hpp"

namespace hb::dashboard {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

struct Place {
  int severity;
  const Customer* customer;
};

bool is_before(const Place& a, const Place& b) {
  return a.severity != b.severity ? a.severity > b.severity : a.customer->id() < b.customer->id();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool contains(std::string_view id, std::string_view lower_text) {
  return std::search(id.begin(), id.end(), lower_text.begin(), lower_text.end(),
                     [](char a, char b) { return lower(a) == b; }) != id.end() ||
         lower_text.empty();
}

// Brings the first `count` places into order.
void order(std::vector<Place>& places, std::size_t count, bool by_id) {
  const auto end = places.begin() + static_cast<std::ptrdiff_t>(std::min(count, places.size()));
  if (by_id) {
    std::partial_sort(places.begin(), end, places.end(),
                      [](const Place& a, const Place& b) { return a.customer->id() < b.customer->id(); });
  } else {
    std::partial_sort(places.begin(), end, places.end(), is_before);
  }
}

}  // namespace

bool Board::is_stale(const Customer& customer, std::int64_t now_us) const {
  return now_us - customer.newest_slot_us > config_.stale_after.count();
}

int Board::severity(const Customer& customer, std::int64_t now_us) const {
  if ((customer.flags & (HB_FLAG_LOW | HB_FLAG_HIGH)) != 0) return 3;
  if ((customer.flags & (HB_FLAG_JUMP | HB_FLAG_FLATLINE)) != 0) return 2;
  return is_stale(customer, now_us) ? 1 : 0;
}

int Board::trend(const Customer& customer) const {
  constexpr std::int64_t recent = 10;
  constexpr std::int64_t before = 20;
  constexpr double step = 3;  // beats per minute
  double sums[2] = {0, 0};
  int counts[2] = {0, 0};
  for (std::int64_t age = 0; age < std::min(recent + before, window_); ++age) {
    const Slot slot = customer.ring.at(now_ - age);
    if (!slot.used) continue;
    sums[age < recent ? 0 : 1] += slot.heart_rate;
    ++counts[age < recent ? 0 : 1];
  }
  if (counts[0] == 0 || counts[1] == 0) return 0;
  const double change = sums[0] / counts[0] - sums[1] / counts[1];
  return change >= step ? 1 : change <= -step ? -1 : 0;
}

Tile Board::tile(const Customer& customer, std::int64_t now_us) const {
  Tile tile;
  tile.id = customer.id();
  tile.heart_rate = customer.heart_rate;
  tile.time_us = customer.time_us;
  tile.age_us = std::max<std::int64_t>(0, now_us - customer.newest_slot_us);
  tile.flags = customer.flags;
  tile.severity = severity(customer, now_us);
  tile.trend = trend(customer);
  constexpr auto count = static_cast<std::int64_t>(kSparkSeconds);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t age = count - 1 - i;
    const Slot slot = age < window_ ? customer.ring.at(now_ - age) : Slot{};
    tile.spark[static_cast<std::size_t>(i)] = slot.used ? slot.heart_rate : kNoReading;
  }
  return tile;
}

Overview Board::overview(std::int64_t now_us) {
  now_us = std::max(now_us, advance(now_us) * kSecond);
  Overview overview;
  overview.now_us = now_us;
  overview.readings = readings_;
  overview.readings_per_s = arrivals_.rate(now_us);
  overview.lag_us = arrivals_.median_lag_us(now_us);
  overview.window = totals_.summary();
  overview.alerts.assign(alerts_.begin(), alerts_.end());
  std::vector<Place> places;
  places.reserve(customers_.size());
  for (const auto& one : customers_) {
    places.push_back({severity(*one, now_us), one.get()});
    ++(is_stale(*one, now_us) ? overview.stale : overview.active);
    if ((one->flags & HB_FLAG_LOW) != 0) ++overview.low;
    if ((one->flags & HB_FLAG_HIGH) != 0) ++overview.high;
    if ((one->flags & HB_FLAG_JUMP) != 0) ++overview.jump;
    if ((one->flags & HB_FLAG_FLATLINE) != 0) ++overview.flatline;
  }
  overview.known = places.size();
  order(places, kWallTiles, false);
  for (std::size_t i = 0; i < std::min(kWallTiles, places.size()); ++i) {
    overview.wall.push_back(tile(*places[i].customer, now_us));
  }
  return overview;
}

CustomerList Board::customers(const CustomerQuery& query, std::int64_t now_us) {
  now_us = std::max(now_us, advance(now_us) * kSecond);
  std::string text = query.text;
  std::transform(text.begin(), text.end(), text.begin(), lower);
  std::vector<Place> places;
  for (const auto& one : customers_) {
    const int level = severity(*one, now_us);
    const bool wanted = query.status == CustomerQuery::Status::all ||
                        (query.status == CustomerQuery::Status::alert && level >= 2) ||
                        (query.status == CustomerQuery::Status::stale && is_stale(*one, now_us)) ||
                        (query.status == CustomerQuery::Status::ok && level == 0);
    if (wanted && contains(one->id(), text)) places.push_back({level, one.get()});
  }
  CustomerList list;
  list.matched = places.size();
  const std::size_t begin = std::min(query.offset, places.size());
  const std::size_t end = begin + std::min(query.limit, places.size() - begin);
  order(places, end, query.by_id);
  for (std::size_t i = begin; i < end; ++i) list.tiles.push_back(tile(*places[i].customer, now_us));
  return list;
}

History Board::history(std::span<const std::string> ids, std::optional<std::int64_t> since, std::int64_t now_us) {
  advance(now_us);
  History history;
  history.from_s = std::clamp(since.value_or(INT64_MIN), now_ - window_ + 1, now_ + 1);
  for (const std::string& id : ids) {
    const auto found = index_.find(id);
    Series series;
    series.id = id;
    series.known = found != index_.end();
    for (std::int64_t second = history.from_s; second <= now_; ++second) {
      const Slot slot = series.known ? found->second->ring.at(second) : Slot{};
      series.values.push_back(slot.used ? slot.heart_rate : kNoReading);
      series.flags.push_back(slot.flags);
    }
    history.series.push_back(std::move(series));
  }
  return history;
}

}  // namespace hb::dashboard
