#include <hbagent/sdk.hpp>

#include "mqtt_sink.hpp"
#include "mqtt_source.hpp"

HB_PLUGINS(hb::source<hb::bridge::MqttSource>("mqtt", "Reads what wearables publish to an MQTT broker."),
           hb::sink<hb::bridge::MqttSink>("mqtt", "Publishes readings to an MQTT broker."))
