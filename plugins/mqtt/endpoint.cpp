#include "endpoint.hpp"

#include <hbagent/host.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>

namespace hb::bridge {
namespace {

struct Scheme {
  std::string_view name;
  const char* meaning;
  std::uint16_t port;
};
constexpr std::array kSchemes = {Scheme{"tcp", "tcp", 1883},   Scheme{"mqtt", "tcp", 1883}, Scheme{"ssl", "ssl", 8883},
                                 Scheme{"mqtts", "ssl", 8883}, Scheme{"ws", "ws", 80},      Scheme{"wss", "wss", 443}};

[[noreturn]] void refuse(const std::string& server, const std::string& why) {
  throw Failed("server = \"" + server + "\": " + why);
}

std::uint16_t parse_port(std::string_view text, const std::string& server) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    refuse(server, "the port must be a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::string Endpoint::host_and_port() const {
  return (host.find(':') == std::string::npos ? host : '[' + host + ']') + ':' + std::to_string(port);
}

std::string Endpoint::uri() const {
  return scheme + "://" + host_and_port() + path;
}

Endpoint parse_endpoint(const std::string& server) {
  // First of all: what is refused below is shown.
  if (server.find('@') != std::string::npos) {
    throw Failed("server: user and password do not belong there; use the options username and password");
  }
  const std::size_t mark = server.find("://");
  if (mark == std::string::npos) refuse(server, "write it as tcp://host:1883 or ssl://host:8883");
  Endpoint endpoint;
  std::string scheme = server.substr(0, mark);  // in either case (RFC 3986, section 3.1)
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Scheme& known : kSchemes) {
    if (known.name != scheme) continue;
    endpoint.scheme = known.meaning;
    endpoint.port = known.port;
  }
  if (endpoint.scheme.empty()) refuse(server, "the scheme must be tcp, mqtt, ssl, mqtts, ws or wss");

  std::string_view rest = std::string_view(server).substr(mark + 3);
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    endpoint.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  const bool is_websocket = endpoint.scheme == "ws" || endpoint.scheme == "wss";
  if (!is_websocket && endpoint.path == "/") endpoint.path.clear();
  if (!is_websocket && !endpoint.path.empty()) refuse(server, "only ws:// and wss:// have a path");
  std::size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) refuse(server, "a ] is missing");
    endpoint.host = rest.substr(1, bracket - 1);
    colon = bracket + 1 < rest.size() ? bracket + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && rest[colon] != ':') refuse(server, "a port is written as ]:1883");
  } else {
    endpoint.host = rest.substr(0, colon);
    if (endpoint.host.find(':') != std::string::npos) refuse(server, "an IPv6 address is written in brackets");
  }
  if (colon != std::string_view::npos) endpoint.port = parse_port(rest.substr(colon + 1), server);
  if (endpoint.host.empty()) refuse(server, "the host is missing");
  if (endpoint.host.find_first_of(" \t,;?#\\\"") != std::string::npos) {
    refuse(server, "\"" + endpoint.host + "\" is no host; there is one, a name or an address");
  }
  return endpoint;
}

}  // namespace hb::bridge
