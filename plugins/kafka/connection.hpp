// How both plugins reach Kafka: the options that they share, and the librdkafka configuration made of them.
#pragma once

#include <hbagent/host.hpp>
#include <hbagent/options.hpp>

#include <map>
#include <optional>
#include <span>
#include <string>

#include "rdkafka.hpp"

namespace hb::kafka {

struct ConnectionConfig {
  std::string brokers;
  std::string client_id = "hbagent";
  std::string username;
  std::string password;
  std::string sasl_mechanism = "PLAIN";
  bool tls = false;
  std::string tls_ca;
  std::map<std::string, std::string> rdkafka;
};

// The shared options as members of `Config`, which derives from ConnectionConfig.
template <class Config>
constexpr auto connection_options() {
  return hb::options(
      hb::option<Config, std::string>("brokers", &Config::brokers, "Brokers to begin with, as host:port, with commas.")
          .required()
          .example("\"localhost:9092\""),
      hb::option<Config, std::string>("client_id", &Config::client_id, "Name that the brokers' logs and quotas see."),
      hb::option<Config, std::string>("username", &Config::username, "SASL user; none: no login."),
      hb::option<Config, std::string>("password", &Config::password, "SASL password.")
          .secret()
          .example("\"${KAFKA_PASSWORD}\""),
      hb::option<Config, std::string>("sasl_mechanism", &Config::sasl_mechanism, "How the user logs in.")
          .choices("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
      hb::option<Config, bool>("tls", &Config::tls, "Encrypt, and check the broker's certificate and host name."),
      hb::option<Config, std::string>("tls_ca", &Config::tls_ca,
                                      "File of the certificate authorities to trust; none: the system's.")
          .example("\"/etc/ssl/certs/kafka-ca.pem\""),
      hb::option<Config, std::map<std::string, std::string>>(
          "rdkafka", &Config::rdkafka,
          "librdkafka properties by their own names, passed through. They win over what the other options set; those "
          "that would break a promise of this plugin are refused."));
}

// A property that the pass-through may not set freely.
struct Guard {
  const char* name;
  const char* allowed;  // the values that change nothing, parted by '|'; nullptr: none
  const char* why;      // for a person: what to do instead
};

// Properties for one librdkafka client. Later settings win. Every failure is hb::Failed with librdkafka's own text.
class Properties {
 public:
  Properties();

  void set(const std::string& name, const std::string& value);
  // False where this librdkafka does not have the property.
  bool set_if_known(const std::string& name, const std::string& value);
  // The options of `config` but for its pass-through table.
  void set_connection(const ConnectionConfig& config);
  // The pass-through table. hb::Failed names every property that one of `guards` or librdkafka refuses, with its value
  // and why.
  void pass_through(const std::map<std::string, std::string>& table, std::span<const Guard> guards);
  // hb::Failed where librdkafka refuses the properties together. Connects nowhere.
  void check(rd_kafka_type_t type) const;

  const rd_kafka_conf_t* get() const { return conf_.get(); }

 private:
  struct Failure {
    std::string reason;
    bool is_known;  // the property, and only its value is wrong
  };
  std::optional<Failure> try_set(const std::string& name, const std::string& value);

  Conf conf_;
};

// Starts a client. `attach` may set callbacks on the copied configuration. hb::Failed with librdkafka's text.
template <class Attach>
Client make_client(rd_kafka_type_t type, const rd_kafka_conf_t* properties, const Attach& attach) {
  Conf conf(rd_kafka_conf_dup(properties));
  attach(conf.get());
  char text[512] = "";
  Client client(rd_kafka_new(type, conf.get(), text, sizeof text));
  if (!client) throw Failed(text);
  static_cast<void>(conf.release());  // the client's own from here
  return client;
}

}  // namespace hb::kafka
