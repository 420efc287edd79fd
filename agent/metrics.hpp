// What a running agent says of itself: Prometheus text and JSON.
#pragma once

#include <string>

#include "pipeline.hpp"

namespace hbagent {

// Prometheus text exposition format 0.0.4.
std::string prometheus_text(const Pipeline& pipeline);
// The document of /api/v1/status.
std::string status_json(const Pipeline& pipeline);

// Resident memory in bytes, from /proc/self/statm; 0 where it cannot be read.
std::uint64_t resident_bytes();

}  // namespace hbagent
