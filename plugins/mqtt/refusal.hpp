// What brokers answer, in words.
#pragma once

#include <string>

#include "connection_config.hpp"
#include "paho.hpp"

namespace hb::bridge {

// Why the broker refused a connection, for a person: which option to look at. Empty where it was no refusal of its.
std::string why_refused(const paho::exception& error, const ConnectionConfig& config);
// Of an MQTT 5 disconnect.
std::string why_disconnected(paho::ReasonCode code, const ConnectionConfig& config);
// Whether the broker has answered, and says no, to a subscription or a publication.
bool is_refusal(const paho::exception& error);
// Of a subscription or a publication.
std::string text_of(const paho::exception& error);

}  // namespace hb::bridge
