// What options of the MQTT source cannot be together, or had better not.
#pragma once

#include "mqtt_source.hpp"

namespace hb::bridge {

// Throws hb::Failed, which begins with the key that is wrong; warns of what works but loses messages.
void check_source(const MqttSource::Config& config, hb::Host host);

}  // namespace hb::bridge
