#include "gap_finder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kNotShown = std::numeric_limits<std::size_t>::max();

int compare_customers(const hb_reading& a, const hb_reading& b) {
  return std::strncmp(a.customer_id, b.customer_id, HB_CUSTOMER_ID_CAPACITY);
}

std::string_view customer(const hb_reading& reading) {
  return {reading.customer_id, strnlen(reading.customer_id, HB_CUSTOMER_ID_CAPACITY)};
}

// One reading after the other, in the order of time.
class Cursor {
 public:
  Cursor(ReadingStream& stream, const char* what) : stream_(stream), what_(what) { advance(); }

  const hb_reading* get() const { return done_ ? nullptr : &batch_[at_]; }
  bool at(std::int64_t time_us) const { return !done_ && batch_[at_].time_us == time_us; }
  void advance() {
    const bool first = batch_.empty();
    const std::int64_t before = first ? 0 : batch_[at_].time_us;
    if (!first) ++at_;
    if (at_ >= batch_.size()) {
      at_ = 0;
      done_ = !stream_.next(batch_);
    }
    if (!first && !done_ && batch_[at_].time_us < before) {
      throw std::runtime_error(std::string(what_) + " are not in the order of time: " + iso_time(batch_[at_].time_us) +
                               " comes behind " + iso_time(before));
    }
  }

 private:
  ReadingStream& stream_;
  const char* const what_;
  std::vector<hb_reading> batch_;
  std::size_t at_ = 0;
  bool done_ = false;
};

}  // namespace

Findings GapFinder::compare(ReadingStream& expected, ReadingStream& stored) {
  findings_ = {};
  open_.clear();
  Cursor wanted(expected, "the readings that are expected");
  Cursor rows(stored, "the readings that are stored");
  std::vector<hb_reading> due;  // of one time, by customer
  while (wanted.get() != nullptr || rows.get() != nullptr) {
    constexpr auto kNever = std::numeric_limits<std::int64_t>::max();
    const std::int64_t time_us = std::min(wanted.get() == nullptr ? kNever : wanted.get()->time_us,
                                          rows.get() == nullptr ? kNever : rows.get()->time_us);
    due.clear();
    for (; wanted.at(time_us); wanted.advance()) due.push_back(*wanted.get());
    if (due.size() > 1) {
      std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return compare_customers(a, b) < 0; });
    }
    auto next = due.begin();
    while (rows.at(time_us)) {
      const hb_reading row = *rows.get();
      for (; next != due.end() && compare_customers(*next, row) < 0; ++next) not_found(*next);
      if (next == due.end() || compare_customers(*next, row) != 0) {
        foreign(row);
        rows.advance();
        continue;
      }
      std::uint64_t times = 0;
      std::int32_t other_rate = next->heart_rate;
      for (; rows.at(time_us) && compare_customers(*next, *rows.get()) == 0; rows.advance()) {
        ++times;
        if (other_rate == next->heart_rate) other_rate = rows.get()->heart_rate;
      }
      found(*next++, row, times, other_rate);
    }
    for (; next != due.end(); ++next) not_found(*next);
  }
  return std::move(findings_);
}

void GapFinder::found(const hb_reading& reading, const hb_reading& row, std::uint64_t times, std::int32_t other_rate) {
  ++findings_.expected;
  ++findings_.stored;
  if (!open_.empty()) open_.erase(std::string(customer(row)));
  if (times > 1 && findings_.doubled++ < rules_.shown) {
    findings_.doubled_readings.push_back({std::string(customer(row)), row.time_us, times});
  }
  if (other_rate != reading.heart_rate && findings_.changed++ < rules_.shown) {
    findings_.changed_readings.push_back({std::string(customer(row)), row.time_us, reading.heart_rate, other_rate});
  }
}

void GapFinder::not_found(const hb_reading& reading) {
  if (rules_.excused && rules_.excused(reading)) {
    ++findings_.excused;
    return;
  }
  ++findings_.expected;
  ++findings_.missing;
  const auto [gap, begins] = open_.emplace(customer(reading), kNotShown);
  if (begins && findings_.gaps++ < rules_.shown) {
    gap->second = findings_.missing_spans.size();
    findings_.missing_spans.push_back({gap->first, reading.time_us, reading.time_us, 0});
  }
  if (gap->second == kNotShown) return;
  Findings::Missing& span = findings_.missing_spans[gap->second];
  span.to_us = reading.time_us;
  ++span.count;
}

void GapFinder::foreign(const hb_reading& row) {
  if (rules_.ours && !rules_.ours(customer(row))) return;
  if (findings_.foreign++ < rules_.shown) {
    findings_.foreign_readings.push_back({std::string(customer(row)), row.time_us, row.heart_rate});
  }
}

}  // namespace hbagent
