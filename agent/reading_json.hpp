// A reading as text, in the form that Kafka records have: {"customer_id":..,"time":..,"heart_rate":..}.
#pragma once

#include <hbagent/plugin.h>

#include <optional>
#include <string>
#include <string_view>

namespace hbagent {

enum class JsonFlags { where_set, always };

// For dead letters, and to be read; "flags" is an array of their names. Bytes of the id that are no UTF-8 become
// U+FFFD; received_us is not part of it.
std::string reading_as_json(const hb_reading& reading, JsonFlags flags = JsonFlags::where_set);

// What reading_as_json wrote, with received_us = 0; nullopt for anything else, and for an id with U+FFFD in it, which
// may have been another one.
std::optional<hb_reading> reading_from_json(std::string_view text);

}  // namespace hbagent
