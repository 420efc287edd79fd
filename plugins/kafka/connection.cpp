#include "connection.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace hb::kafka {
namespace {

// Both plugins: what an option of our own sets.
constexpr std::array kConnectionGuards = {
    Guard{"bootstrap.servers", nullptr, "use the option brokers"},
    Guard{"metadata.broker.list", nullptr, "use the option brokers"},
    Guard{"client.id", nullptr, "use the option client_id"},
};

bool is_one_of(std::string value, std::string_view allowed) {
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
  while (!allowed.empty()) {
    const auto end = std::min(allowed.find('|'), allowed.size());
    if (value == allowed.substr(0, end)) return true;
    allowed.remove_prefix(std::min(end + 1, allowed.size()));
  }
  return false;
}

// Longer values are not repeated. The agent hides what came from the environment, but only where it finds all of it.
constexpr std::size_t kLongestShown = 60;

std::string shown(const std::string& value) {
  return value.size() <= kLongestShown ? '"' + value + '"' : "(" + std::to_string(value.size()) + " characters)";
}

std::string without_long_value(const std::string& reason, const std::string& value) {
  if (value.size() <= kLongestShown) return reason;
  const auto at = reason.find(value.substr(0, kLongestShown));
  return at == std::string::npos ? reason : reason.substr(0, at) + "...";
}

// Why the plugin does not let the property through; empty where it does.
std::string guarded(const std::string& name, const std::string& value, std::span<const Guard> guards) {
  for (const Guard& guard : guards) {
    if (name != guard.name || (guard.allowed != nullptr && is_one_of(value, guard.allowed))) continue;
    return std::string("cannot be set") + (guard.allowed == nullptr ? "" : " to this value") + ": " + guard.why;
  }
  return {};
}

// "2 properties are wrong: (1) ...; (2) ...": the agent takes one line of at most 2 KiB.
std::string as_one_text(const std::vector<std::string>& problems) {
  if (problems.size() == 1) return problems.front();
  constexpr std::size_t kRoom = 1900;
  std::string text = std::to_string(problems.size()) + " properties are wrong:";
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const std::string next = (i == 0 ? " (" : "; (") + std::to_string(i + 1) + ") " + problems[i];
    if (text.size() + next.size() > kRoom) return text + "; and " + std::to_string(problems.size() - i) + " more";
    text += next;
  }
  return text;
}

std::string without_line_end(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  return text;
}

}  // namespace

Properties::Properties() : conf_(rd_kafka_conf_new()) {}

void Properties::set(const std::string& name, const std::string& value) {
  if (const auto failure = try_set(name, value)) throw Failed(failure->reason);
}

std::optional<Properties::Failure> Properties::try_set(const std::string& name, const std::string& value) {
  char text[512] = "";
  const auto result = rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), text, sizeof text);
  if (result == RD_KAFKA_CONF_OK) return std::nullopt;
  return Failure{without_line_end(text), result != RD_KAFKA_CONF_UNKNOWN};
}

bool Properties::set_if_known(const std::string& name, const std::string& value) {
  char present[512];
  std::size_t size = sizeof present;
  if (rd_kafka_conf_get(conf_.get(), name.c_str(), present, &size) == RD_KAFKA_CONF_UNKNOWN) return false;
  set(name, value);
  return true;
}

void Properties::set_connection(const ConnectionConfig& config) {
  set("bootstrap.servers", config.brokers);
  set("client.id", config.client_id);
  // An idle connection that the broker closes is no event.
  set("log.connection.close", "false");
  // A broker that comes back is noticed within 2 s; the default of 10 s would prolong every outage.
  set("reconnect.backoff.max.ms", "2000");
  // A topic that is made after the agent has started, and new partitions, are found in seconds, not in 5 minutes.
  set("topic.metadata.refresh.interval.ms", "5000");
  // Batches are formed by linger.ms; the last packet of one must not wait for an acknowledgement.
  set("socket.nagle.disable", "true");
  const bool login = !config.username.empty();
  if (!login && !config.password.empty()) throw Failed("password is set but username is not");
  if (login) {
    set("sasl.mechanism", config.sasl_mechanism);
    set("sasl.username", config.username);
    set("sasl.password", config.password);
  }
  if (config.tls) set("security.protocol", login ? "sasl_ssl" : "ssl");
  if (!config.tls && login) set("security.protocol", "sasl_plaintext");
  if (!config.tls && !config.tls_ca.empty()) throw Failed("tls_ca is set but tls is not");
  if (!config.tls_ca.empty()) set("ssl.ca.location", config.tls_ca);
  // librdkafka 2.0 checks the certificate; the host name as well only when it is told to.
  if (config.tls) set("ssl.endpoint.identification.algorithm", "https");
}

void Properties::pass_through(const std::map<std::string, std::string>& table, std::span<const Guard> guards) {
  std::vector<std::string> problems;
  for (const auto& [name, value] : table) {
    // The value of a name that librdkafka does not know says nothing, and may be a secret under a mistyped name.
    const std::string found = "rdkafka." + name + " = " + shown(value);
    std::string refused = guarded(name, value, kConnectionGuards);
    if (refused.empty()) refused = guarded(name, value, guards);
    if (!refused.empty()) {
      problems.push_back(found + ' ' + refused);
    } else if (const auto failure = try_set(name, value)) {
      problems.push_back((failure->is_known ? found : "rdkafka." + name) + ": " +
                         without_long_value(failure->reason, value));
    }
  }
  if (!problems.empty()) throw Failed(as_one_text(problems));
}

void Properties::check(rd_kafka_type_t type) const {
  // A client without brokers goes nowhere, and its configuration is checked as a whole all the same.
  make_client(type, conf_.get(), [](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_log_cb(conf, nullptr);
    rd_kafka_conf_set(conf, "bootstrap.servers", nullptr, nullptr, 0);
  });
}

}  // namespace hb::kafka
