// What the board hands out to be shown. Times in microseconds since the Unix epoch, UTC, unless a name says otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "second_totals.hpp"

namespace hb::dashboard {

inline constexpr std::size_t kSparkSeconds = 60;
inline constexpr std::size_t kWallTiles = 60;
inline constexpr std::size_t kMaxAlerts = 50;
inline constexpr std::int32_t kNoReading = -1;  // in a series of one value a second

struct Tile {
  std::string id;
  std::int32_t heart_rate = 0;
  std::int64_t time_us = 0;  // when measured
  std::int64_t age_us = 0;   // since its place on the time axis
  std::uint16_t flags = 0;
  int severity = 0;  // 3: low or high, 2: jump or flatline, 1: stale, 0: none
  int trend = 0;     // -1 falling, 1 rising: the last 10 s beside the 20 s before
  std::array<std::int32_t, kSparkSeconds> spark{};
};

// A flag came or went with a customer's newest reading.
struct Alert {
  std::uint64_t n = 0;
  std::int64_t time_us = 0;
  std::string id;
  std::int32_t heart_rate = 0;
  std::uint16_t kind = 0;  // one HB_FLAG_*
  bool began = false;
};

struct Overview {
  std::int64_t now_us = 0;
  std::uint64_t readings = 0;  // since the start
  double readings_per_s = 0;
  std::optional<std::int64_t> lag_us;
  std::uint64_t known = 0, active = 0, stale = 0;
  std::uint64_t low = 0, high = 0, jump = 0, flatline = 0;  // customers whose newest reading has the flag
  SecondTotals::Summary window;
  std::vector<Tile> wall;  // by severity, then id
  std::vector<Alert> alerts;
};

struct CustomerQuery {
  enum class Status { all, alert, stale, ok };
  std::string text;  // part of the id; ASCII letters of either case are the same
  Status status = Status::all;
  bool by_id = false;
  std::size_t limit = 60;
  std::size_t offset = 0;
};

struct CustomerList {
  std::size_t matched = 0;
  std::vector<Tile> tiles;
};

struct Series {
  std::string id;
  bool known = false;
  std::vector<std::int32_t> values;
  std::vector<std::uint8_t> flags;
};

struct History {
  std::int64_t from_s = 0;
  std::vector<Series> series;
};

}  // namespace hb::dashboard
