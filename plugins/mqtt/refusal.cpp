#include "refusal.hpp"

#include <algorithm>
#include <array>

namespace hb::bridge {
namespace {

// MQTT 3.1.1, section 3.2.2.3.
constexpr std::array kConnack = {"",
                                 "unacceptable protocol version",
                                 "client identifier rejected",
                                 "server unavailable",
                                 "bad user name or password",
                                 "not authorized"};

std::string login_refused(const ConnectionConfig& config) {
  if (config.username.empty()) return "the broker wants a user name and password, and none is configured";
  return "the broker refuses the login of user \"" + config.username +
         "\": look at username and password, or at its "
         "access rules";
}

std::string refused_v3(int code, const ConnectionConfig& config) {
  switch (code) {
    case 1:
      return "the broker does not speak MQTT " + std::string(config.version == Version::v5
                                                                 ? "5; set version = "
                                                                   "\"3.1.1\""
                                                                 : "3.1.1; set version = \"5\"");
    case 2:
      return "the broker refuses client_id = \"" + config.client_id + '"';
    case 3:
      return "the broker says that it is unavailable";
    case 4:
    case 5:
      return login_refused(config);
    default:
      return {};
  }
}

}  // namespace

std::string why_refused(const paho::exception& error, const ConnectionConfig& config) {
  // A refused login has the broker's reason in either place, as the version of MQTT and of Paho have it.
  const int code = error.get_return_code();
  const int reason = std::max(static_cast<int>(error.get_reason_code()), code);
  switch (reason) {
    case MQTTREASONCODE_UNSUPPORTED_PROTOCOL_VERSION:
      return refused_v3(1, config);
    case MQTTREASONCODE_CLIENT_IDENTIFIER_NOT_VALID:
      return refused_v3(2, config);
    case MQTTREASONCODE_BAD_USER_NAME_OR_PASSWORD:
    case MQTTREASONCODE_NOT_AUTHORIZED:
      return login_refused(config);
    case MQTTREASONCODE_BANNED:
      return "the broker has banned this client";
    default:
      break;
  }
  if (reason >= 128) {
    const char* const text = MQTTReasonCode_toString(static_cast<MQTTReasonCodes>(reason));
    return std::string("the broker refuses the connection: ") + (text == nullptr ? "unknown reason" : text);
  }
  return code > 0 && code < static_cast<int>(kConnack.size()) ? refused_v3(code, config) : std::string();
}

std::string why_disconnected(paho::ReasonCode code, const ConnectionConfig& config) {
  if (static_cast<int>(code) == MQTTREASONCODE_SESSION_TAKEN_OVER) {
    return "another client connected with client_id = \"" + config.client_id +
           "\" and took the session over: give each its own";
  }
  const char* const text = MQTTReasonCode_toString(static_cast<MQTTReasonCodes>(code));
  return std::string("the broker closed the connection: ") + (text == nullptr ? "unknown reason" : text);
}

bool is_refusal(const paho::exception& error) {
  return error.get_return_code() == 128 || static_cast<int>(error.get_reason_code()) >= 128;
}

std::string text_of(const paho::exception& error) {
  // MQTT 3.1.1 has one code for every refusal, and Paho no words for it.
  if (const std::string reason = error.get_reason_code_str();
      static_cast<int>(error.get_reason_code()) >= 128 && !reason.empty()) {
    return reason;
  }
  if (is_refusal(error)) {
    return "refused (not authorized, or no such topic)";
  }
  return error.what();
}

}  // namespace hb::bridge
