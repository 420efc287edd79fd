#include "source_check.hpp"

#include <string>

namespace hb::bridge {
namespace {

using namespace std::chrono_literals;

void check_for_v3(const MqttSource::Config& config) {
  const MqttSource::Config untouched;
  if (config.session_expiry != untouched.session_expiry) {
    throw Failed(
        "session_expiry: needs version = \"5\"; with \"3.1.1\" the broker alone decides how long it keeps a session");
  }
  if (config.receive_maximum != untouched.receive_maximum) {
    throw Failed(
        "receive_maximum: needs version = \"5\"; with \"3.1.1\" the broker alone decides how many messages it sends");
  }
  for (std::size_t i = 0; i < config.subscriptions.size(); ++i) {
    if (config.subscriptions[i].qos != 2) continue;
    throw Failed("subscription[" + std::to_string(i) +
                 "].qos = 2: with version = \"3.1.1\" loses what is in flight at every lost connection (the client "
                 "library forgets it); use qos = 1, or version = \"5\"");
  }
}

}  // namespace

void check_source(const MqttSource::Config& config, hb::Host host) {
  if (config.version == Version::v3) return check_for_v3(config);
  if (config.session_expiry == 0s) {
    host.warn(
        "session_expiry = \"0s\": the broker forgets the session whenever the connection is lost, and what is "
        "published until the next one is lost");
  }
}

}  // namespace hb::bridge
