// The time of day.
#pragma once

#include <chrono>
#include <cstdint>

namespace hbagent {

// Microseconds since the Unix epoch, UTC. [any thread]
inline std::int64_t wall_clock_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace hbagent
