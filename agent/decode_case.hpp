// A line of what hbagent decode --batch reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hbagent {

// {"topic":..,"encoding":"utf8|hex","payload":..,"retain":..,"received_at":..,"key":..}. Only the payload must be
// there; null is as good as nothing. Members of other names are the user's own, unless they look like a slip of the
// pen.
struct DecodeCase {
  std::string payload;
  std::string topic;
  std::optional<std::string> key;
  bool retained = false;
  std::optional<std::int64_t> received_us;  // us since the epoch
};

// Throws std::invalid_argument that says what is wrong.
DecodeCase parse_decode_case(std::string_view line);

}  // namespace hbagent
