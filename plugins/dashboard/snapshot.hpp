// The JSON that the page reads. One line each, UTF-8.
#pragma once

#include <cstdint>
#include <string>

#include "view.hpp"

namespace hb::dashboard {

// What every snapshot says of the sink itself.
struct About {
  std::string agent;
  std::int64_t started_ms = 0;
  std::int64_t window_s = 0;
  std::int64_t refresh_ms = 0;
  double stale_after_s = 0;
  std::int32_t low = 0, high = 0;
};

// Each appends to `out`. [any thread]
void append_snapshot(std::string& out, const About& about, const Overview& overview, std::uint64_t n);
void append_customers(std::string& out, const CustomerList& list);
void append_history(std::string& out, const History& history);
// {"error":"..."}
void append_error(std::string& out, std::string_view text);

}  // namespace hb::dashboard
