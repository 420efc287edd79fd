#include "connection.hpp"

#include <hbagent/testing.hpp>

#include "kafka_sink.hpp"
#include "kafka_source.hpp"
#include "support/catch.hpp"

using hb::kafka::KafkaSink;
using hb::kafka::KafkaSource;
using hb::kafka::Properties;
using hb::testing::TestHost;

namespace {

std::string property(const Properties& properties, const char* name) {
  char text[512];
  std::size_t size = sizeof text;
  REQUIRE(rd_kafka_conf_get(properties.get(), name, text, &size) == RD_KAFKA_CONF_OK);
  return text;
}

// What making the plugin with this pass-through table says.
template <class Plugin>
std::string refusal(const std::map<std::string, std::string>& table) {
  TestHost host;
  typename Plugin::Config config;
  config.brokers = "127.0.0.1:1";
  config.rdkafka = table;
  try {
    Plugin plugin(config, host.host());
  } catch (const hb::Failed& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a wrong property is refused with librdkafka's own words") {
  CHECK(refusal<KafkaSink>({{"linger.mss", "5"}}) ==
        "rdkafka.linger.mss: No such configuration property: \"linger.mss\"");
  CHECK(
      refusal<KafkaSink>({{"linger.ms", "-1"}}) ==
      "rdkafka.linger.ms = \"-1\": Configuration property \"queue.buffering.max.ms\" value -1 is outside allowed range "
      "0..900000");
  CHECK(refusal<KafkaSource>({{"isolation.level", "whatever"}}) ==
        "rdkafka.isolation.level = \"whatever\": Invalid value \"whatever\" for configuration property "
        "\"isolation.level\"");
  CHECK(refusal<KafkaSource>({{"fetch.min.bytes", "many"}}) ==
        "rdkafka.fetch.min.bytes = \"many\": Invalid value for configuration property \"fetch.min.bytes\"");
  CHECK(refusal<KafkaSink>({{"dr_msg_cb", "x"}}).find("must be set through dedicated") != std::string::npos);
  // Found only when all properties are looked at together.
  CHECK(refusal<KafkaSink>({{"retries", "0"}}) == "`retries` must be set >= 1 when `enable.idempotence` is true");
  CHECK(refusal<KafkaSink>({{"security.protocol", "ssl"}, {"ssl.ca.location", "/nowhere"}}) != "");
}

TEST_CASE("all wrong properties are named at once, each with what was found and why") {
  CHECK(refusal<KafkaSink>({{"acks", "1"}, {"linger.ms", "-1"}, {"linger.mss", "5"}, {"retries", "3"}}) ==
        "3 properties are wrong: "
        "(1) rdkafka.acks = \"1\" cannot be set to this value: a reading is delivered only when every in-sync replica "
        "has it; "
        "(2) rdkafka.linger.ms = \"-1\": Configuration property \"queue.buffering.max.ms\" value -1 is outside allowed "
        "range 0..900000; "
        "(3) rdkafka.linger.mss: No such configuration property: \"linger.mss\"");
  CHECK(refusal<KafkaSource>({{"fetch.min.bytes", "many"}, {"group.id", "g"}}) ==
        "2 properties are wrong: "
        "(1) rdkafka.fetch.min.bytes = \"many\": Invalid value for configuration property \"fetch.min.bytes\"; "
        "(2) rdkafka.group.id = \"g\" cannot be set: use the option group_id");
}

TEST_CASE("more wrong properties than fit into one text are counted") {
  std::map<std::string, std::string> table;
  for (int i = 100; i < 150; ++i) table["no.such.property." + std::to_string(i)] = "x";
  const std::string text = refusal<KafkaSink>(table);
  CHECK(text.starts_with("50 properties are wrong: (1) rdkafka.no.such.property.100: No such"));
  CHECK_THAT(text, contains_text("; and 3"));
  CHECK(text.ends_with(" more"));
  CHECK(text.size() < 2048);
}

TEST_CASE("the value of a mistyped name is not shown, nor one that is too long to be hidden as a whole") {
  CHECK(refusal<KafkaSink>({{"sasl.pasword", "s3cret"}}).find("s3cret") == std::string::npos);
  CHECK(refusal<KafkaSink>({{"compression.type", std::string(1000, 'x')}}) ==
        "rdkafka.compression.type = (1000 characters): Invalid value \"...");
}

TEST_CASE("a property that would break the sink's promise is refused, the same value as ours is not") {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"enable.idempotence", "false"},
                                                                      {"acks", "1"},
                                                                      {"request.required.acks", "0"},
                                                                      {"message.timeout.ms", "5000"},
                                                                      {"delivery.timeout.ms", "5000"},
                                                                      {"delivery.report.only.error", "true"},
                                                                      {"max.in.flight", "5"},
                                                                      {"transactional.id", "t"},
                                                                      {"bootstrap.servers", "b:1"},
                                                                      {"client.id", "c"}}) {
    INFO(name);
    CHECK(refusal<KafkaSink>({{name, value}}).starts_with("rdkafka." + name + " = \"" + value + "\" cannot be set"));
  }
  CHECK(refusal<KafkaSink>({{"acks", "-1"}, {"enable.idempotence", "True"}, {"message.timeout.ms", "0"}}) == "");
  CHECK(refusal<KafkaSink>({{"acks", "all"}, {"max.in.flight", "1"}, {"partitioner", "fnv1a"}}) == "");
}

TEST_CASE("a property that would break the source's promise is refused") {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"enable.auto.commit", "true"},
                                                                      {"enable.auto.offset.store", "true"},
                                                                      {"auto.offset.reset", "latest"},
                                                                      {"group.id", "g"},
                                                                      {"group.instance.id", "g"},
                                                                      {"enable.partition.eof", "true"},
                                                                      {"metadata.broker.list", "b:1"}}) {
    INFO(name);
    CHECK(refusal<KafkaSource>({{name, value}}).starts_with("rdkafka." + name + " = \"" + value + "\" cannot be set"));
  }
  CHECK(refusal<KafkaSource>({{"enable.auto.commit", "false"}, {"session.timeout.ms", "30000"}}) == "");
  CHECK(refusal<KafkaSource>({{"partition.assignment.strategy", "range"}}) == "");
}

TEST_CASE("user, password and TLS become librdkafka's properties") {
  hb::kafka::ConnectionConfig config;
  config.brokers = "a:1,b:2";
  Properties plain;
  plain.set_connection(config);
  CHECK(property(plain, "bootstrap.servers") == "a:1,b:2");
  CHECK(property(plain, "security.protocol") == "plaintext");
  config.username = "edge";
  config.password = "secret";
  config.sasl_mechanism = "SCRAM-SHA-256";
  Properties login;
  login.set_connection(config);
  CHECK(property(login, "security.protocol") == "sasl_plaintext");
  CHECK(property(login, "sasl.mechanisms") == "SCRAM-SHA-256");
  CHECK(property(login, "sasl.username") == "edge");
  config.tls = true;
  config.tls_ca = "/ca.pem";
  Properties both;
  both.set_connection(config);
  CHECK(property(both, "security.protocol") == "sasl_ssl");
  CHECK(property(both, "ssl.ca.location") == "/ca.pem");
  CHECK(property(both, "ssl.endpoint.identification.algorithm") == "https");
  config.username.clear();
  config.password.clear();
  Properties encrypted;
  encrypted.set_connection(config);
  CHECK(property(encrypted, "security.protocol") == "ssl");
}

TEST_CASE("half a login and a certificate without TLS are mistakes") {
  Properties properties;
  hb::kafka::ConnectionConfig config;
  config.password = "secret";
  CHECK_THROWS_AS(properties.set_connection(config), hb::Failed);
  config.password.clear();
  config.tls_ca = "/ca.pem";
  CHECK_THROWS_AS(properties.set_connection(config), hb::Failed);
}

TEST_CASE("the option tables of both plugins can be made, with the password a secret") {
  const auto& sink = hb::option_table<KafkaSink, KafkaSink::Config>();
  const auto& source = hb::option_table<KafkaSource, KafkaSource::Config>();
  const auto find = [](const auto& table, std::string_view key) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const hb_option& row) { return row.key == key; });
    REQUIRE(found != table.end());
    return *found;
  };
  CHECK(find(sink, "password").attributes == HB_OPTION_SECRET);
  CHECK(find(source, "brokers").attributes == HB_OPTION_REQUIRED);
  CHECK(find(sink, "rdkafka").kind == HB_PASS);
  CHECK(find(sink, "compression").kind == HB_CHOICE);
  CHECK(std::string(find(sink, "write_timeout").default_text) == "\"30s\"");
  CHECK(std::string(find(source, "topics").default_text) == "[\"heartbeats\"]");
  CHECK(std::string(find(source, "start").default_text) == "\"earliest\"");
}
