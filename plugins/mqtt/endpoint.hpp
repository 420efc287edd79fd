// The address of a broker.
#pragma once

#include <cstdint>
#include <string>

namespace hb::bridge {

struct Endpoint {
  std::string scheme;  // tcp, ssl, ws or wss
  std::string host;    // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string path;  // of a websocket, with its slash; else empty

  bool is_tls() const { return scheme == "ssl" || scheme == "wss"; }
  std::string host_and_port() const;
  // As Paho wants it.
  std::string uri() const;
};

// Reads tcp://, mqtt://, ssl://, mqtts://, ws:// and wss:// addresses; without a port the scheme's own (1883, 8883, 80,
// 443). Throws hb::Failed, which says what is wrong.
Endpoint parse_endpoint(const std::string& server);

}  // namespace hb::bridge
