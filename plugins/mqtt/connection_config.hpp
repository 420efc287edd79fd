// The options that the MQTT source and sink share.
#pragma once

#include <hbagent/options.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace hb::bridge {

struct TlsConfig {
  std::string ca_file{}, cert_file{}, key_file{}, key_password{};
  bool verify = true;
  std::vector<std::string> alpn{};

  bool operator==(const TlsConfig&) const = default;

  static constexpr auto options = hb::options(
      hb::option("ca_file", &TlsConfig::ca_file,
                 "File (PEM) of the certificate authorities to trust; none or empty: the system's.")
          .example("\"/etc/ssl/certs/broker-ca.pem\""),
      hb::option("cert_file", &TlsConfig::cert_file, "File (PEM) of this client's certificate; none: no certificate."),
      hb::option("key_file", &TlsConfig::key_file, "File (PEM) of its private key; none: it is in cert_file."),
      hb::option("key_password", &TlsConfig::key_password, "Password of the private key.")
          .secret()
          .example("\"${MQTT_KEY_PASSWORD}\""),
      hb::option("verify", &TlsConfig::verify,
                 "Check the broker's certificate and that it is that host's. false: anybody may pose as the broker."),
      hb::option("alpn", &TlsConfig::alpn, "Protocols to offer by ALPN, the preferred one first.")
          .example("[\"x-amzn-mqtt-ca\"]"));
};

enum class Version : std::uint8_t { v3, v5 };

struct ConnectionConfig {
  std::string server;
  Version version = Version::v5;
  std::string client_id;
  std::string username;
  std::string password;
  TlsConfig tls;
  std::chrono::seconds keep_alive{60};
  std::chrono::seconds connect_timeout{10};
  std::string status_topic;
};

// The shared options as members of `Config`, which derives from ConnectionConfig.
template <class Config>
constexpr auto connection_options(const char* client_id_example) {
  return hb::options(
      hb::option<Config, std::string>("server", &Config::server,
                                      "Broker: tcp://, ssl://, ws:// or wss://host:port; mqtt:// and mqtts:// mean tcp "
                                      "and ssl.")
          .required()
          .example("\"tcp://localhost:1883\""),
      hb::option<Config, Version>("version", &Config::version, "MQTT version.").choices("3.1.1", "5"),
      hb::option<Config, std::string>("client_id", &Config::client_id,
                                      "Name of the session on the broker. No other client may have it, and it stays "
                                      "the same over restarts.")
          .required()
          .example(client_id_example),
      hb::option<Config, std::string>("username", &Config::username, "User; none: no login."),
      hb::option<Config, std::string>("password", &Config::password, "The user's password.")
          .secret()
          .example("\"${MQTT_PASSWORD}\""),
      hb::option<Config, TlsConfig>("tls", &Config::tls, "For ssl:// and wss://."),
      hb::option<Config, std::chrono::seconds>("keep_alive", &Config::keep_alive,
                                               "Longest silence before either side takes the connection for dead.")
          .range(std::chrono::seconds(5), std::chrono::seconds(65535)),
      hb::option<Config, std::chrono::seconds>("connect_timeout", &Config::connect_timeout,
                                               "How long the broker may take to accept the connection.")
          .range(std::chrono::seconds(1), std::chrono::seconds(300)),
      hb::option<Config, std::string>("status_topic", &Config::status_topic,
                                      "Topic for a retained {\"status\":\"online\"} while connected, and, by the "
                                      "connection's last will, {\"status\":\"offline\"} else; none: no such message.")
          .example("\"agents/edge-01/status\""));
}

}  // namespace hb::bridge
