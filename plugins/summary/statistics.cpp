#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace hb::summary {
namespace {

// Ids are padded with zeros, so the whole field can be hashed in words; the mixer is splitmix64's (Steele, Lea and
// Flood 2014). Only a count depends on it.
std::uint64_t hash_of(const Reading& reading) {
  std::uint64_t hash = 0;
  for (std::size_t at = 0; at < sizeof reading.customer_id; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, reading.customer_id + at, std::min(sizeof word, sizeof reading.customer_id - at));
    if (word == 0) break;
    hash ^= word;
    hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ULL;
    hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBULL;
    hash ^= hash >> 31;
  }
  return hash;
}

std::string one_decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

}  // namespace

void Statistics::Rates::add(const Rates& other) {
  count += other.count;
  sum += other.sum;
  minimum = std::min(minimum, other.minimum);
  maximum = std::max(maximum, other.maximum);
}

void Statistics::add(std::span<const Reading> readings, Clock::time_point now) {
  for (const Reading& reading : readings) {
    window_.add({1, reading.heart_rate, reading.heart_rate, reading.heart_rate});
    counts_.low += (reading.flags & HB_FLAG_LOW) != 0;
    counts_.high += (reading.flags & HB_FLAG_HIGH) != 0;
    counts_.jump += (reading.flags & HB_FLAG_JUMP) != 0;
    counts_.flatline += (reading.flags & HB_FLAG_FLATLINE) != 0;
    counts_.clock += (reading.flags & HB_FLAG_CLOCK) != 0;
    const std::uint64_t id = hash_of(reading);
    if (const auto known = last_seen_.find(id); known != last_seen_.end()) {
      known->second = now;
    } else if (last_seen_.size() < kMaxCustomers) {
      last_seen_.emplace(id, now);
    } else {
      more_customers_ = true;
    }
  }
  counts_.total += readings.size();
}

void Statistics::fill(Summary& summary, const Rates& rates, Clock::duration time) const {
  const double seconds = std::chrono::duration<double>(time).count();
  summary.rate = seconds > 0 ? static_cast<double>(rates.count) / seconds : 0;
  summary.count = rates.count;
  if (rates.count == 0) return;
  summary.average = static_cast<double>(rates.sum) / static_cast<double>(rates.count);
  summary.minimum = rates.minimum;
  summary.maximum = rates.maximum;
}

Summary Statistics::look(Clock::time_point now) {
  std::erase_if(last_seen_, [&](const auto& entry) { return now - entry.second > active_window_; });
  Summary summary = counts_;
  summary.customers = last_seen_.size();
  summary.more_customers = more_customers_;
  fill(summary, window_, now - looked_);
  before_.add(window_);
  window_ = {};
  looked_ = now;
  more_customers_ = false;
  return summary;
}

Summary Statistics::all(Clock::time_point now) const {
  Summary summary = counts_;
  summary.customers = last_seen_.size();
  summary.more_customers = more_customers_;
  Rates rates = before_;
  rates.add(window_);
  fill(summary, rates, now - started_);
  return summary;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string text_of(const Summary& summary) {
  std::string line = grouped(static_cast<std::uint64_t>(std::llround(summary.rate))) + " readings/s | " +
                     grouped(summary.total) + " in all | ";
  line += summary.count == 0 ? std::string("no heart rate")
                             : "bpm average " + one_decimal(summary.average) + ", lowest " +
                                   std::to_string(summary.minimum) + ", highest " + std::to_string(summary.maximum);
  line += " | " + grouped(summary.customers) + (summary.more_customers ? "+" : "") +
          " customers | alerts: " + grouped(summary.low) + " low, " + grouped(summary.high) + " high, " +
          grouped(summary.jump) + " jump";
  if (summary.flatline > 0) line += ", " + grouped(summary.flatline) + " flatline";
  if (summary.clock > 0) line += ", " + grouped(summary.clock) + " clock";
  return line;
}

}  // namespace hb::summary
