// Paho MQTT C++ under a name that does not collide with the plugin's own.
#pragma once

#include <chrono>
#include <cstdint>

// Its own headers warn.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <mqtt/async_client.h>
#pragma GCC diagnostic pop

namespace hb::bridge {

namespace paho = ::mqtt;

// As the value of a property: 32 bits without a sign in the protocol, with one in Paho.
inline std::int32_t seconds_value(std::chrono::seconds time) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(time.count()));
}

}  // namespace hb::bridge
