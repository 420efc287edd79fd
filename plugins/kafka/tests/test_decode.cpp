// The source `kafka`: records that come back as dead letters.
#include <hbagent/testing.hpp>

#include "kafka_source.hpp"
#include "support/catch.hpp"

using hb::codec::CustomerFrom;
using hb::codec::PayloadFormat;
using hb::codec::TimeFrom;
using hb::kafka::KafkaSource;
using hb::testing::TestDecode;
using hb::testing::TestHost;

TEST_CASE("a record without a customer is decoded with its key once the configuration says so") {
  TestHost host;
  KafkaSource::Config config;
  config.brokers = "127.0.0.1:1";
  hb::DecodeInput input;
  input.payload = R"({"time":"2026-11-22T10:00:00Z","heart_rate":72})";
  input.key = "cust_1";
  input.origin = "heartbeats[3]@1042";
  input.received_us = 5;
  {
    KafkaSource source(config, host.host());
    const TestDecode decoded(source, input);
    CHECK(decoded.readings.empty());
    REQUIRE(decoded.refusals.size() == 1);
    CHECK(decoded.refusals[0].verdict == HB_VERDICT_REJECT);
    CHECK(decoded.refusals[0].reason == "missing_customer_id");
    CHECK(decoded.refusals[0].bytes == input.payload);
  }
  config.key_as_customer_id = true;
  KafkaSource source(config, host.host());
  const TestDecode decoded(source, input);
  CHECK(decoded.refusals.empty());
  REQUIRE(decoded.readings.size() == 1);
  CHECK(hb::customer_id(decoded.readings[0]) == "cust_1");
  CHECK(decoded.readings[0].heart_rate == 72);
  CHECK(decoded.readings[0].received_us == 5);
}

TEST_CASE("a heart rate of 0 is no reading in the wire format, either") {
  TestHost host;
  KafkaSource::Config config;
  config.brokers = "127.0.0.1:1";
  KafkaSource source(config, host.host());
  hb::DecodeInput input;
  input.payload = R"({"customer_id":"cust_1","time":"2026-11-22T10:00:00Z","heart_rate":0})";
  const TestDecode decoded(source, input);
  CHECK(decoded.readings.empty());
  REQUIRE(decoded.refusals.size() == 1);
  CHECK(decoded.refusals[0].verdict == HB_VERDICT_DISCARD);
  CHECK(decoded.refusals[0].reason == "zero_bpm");
}

namespace {

// Objects {"readings":[{"t":..,"hr":..}]} whose customer is the record's key.
KafkaSource::Config mapped_config() {
  KafkaSource::Config config;
  config.brokers = "127.0.0.1:1";
  config.decoder = PayloadFormat::json;
  config.customer_id.from = CustomerFrom::key;
  config.time.pointer = "/t";
  config.heart_rate.pointer = "/hr";
  config.each = "/readings";
  return config;
}

std::string failure(const KafkaSource::Config& config) {
  TestHost host;
  try {
    const KafkaSource source(config, host.host());
  } catch (const hb::Failed& failed) {
    return failed.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a record of another format is decoded as the mapping says, whole or an element alone") {
  TestHost host;
  KafkaSource source(mapped_config(), host.host());
  hb::DecodeInput input;
  input.payload = R"({"readings":[{"t":"2026-11-22T10:00:00Z","hr":72},{"t":"2026-11-22T10:00:01Z","hr":"x"},)"
                  R"({"t":"2026-11-22T10:00:02Z","hr":0},{"t":"2026-11-22T10:00:03Z","hr":73}]})";
  input.key = "cust_1";
  input.origin = "foreign[3]@1042";
  input.received_us = 5;
  {
    const TestDecode decoded(source, input);
    REQUIRE(decoded.readings.size() == 2);
    CHECK(hb::customer_id(decoded.readings[1]) == "cust_1");
    CHECK(decoded.readings[1].heart_rate == 73);
    REQUIRE(decoded.refusals.size() == 2);
    CHECK(decoded.refusals[0].reason == "not_a_number");
    CHECK(decoded.refusals[0].bytes == R"({"t":"2026-11-22T10:00:01Z","hr":"x"})");
    CHECK(decoded.refusals[1].reason == "zero_bpm");
    CHECK(decoded.refusals[1].verdict == HB_VERDICT_DISCARD);
  }
  input.payload = R"({"t":"2026-11-22T10:00:01Z","hr":71})";
  input.origin = "foreign[3]@1042#2";
  const TestDecode alone(source, input);
  REQUIRE(alone.readings.size() == 1);
  CHECK(alone.readings[0].heart_rate == 71);
}

TEST_CASE("a mapping that the source cannot use is refused by its key") {
  CHECK(failure(mapped_config()).empty());
  auto config = mapped_config();
  config.decoder = PayloadFormat::wire;
  CHECK(failure(config).starts_with("decoder: \"wire\" has no mapping"));
  config = mapped_config();
  config.key_as_customer_id = true;
  CHECK(failure(config).starts_with("key_as_customer_id: belongs to decoder \"wire\""));
  config = mapped_config();
  config.customer_id.from = CustomerFrom::topic;
  CHECK(failure(config) == "customer_id: this plugin knows no \"topic\"; it has \"key\"");
  config = mapped_config();
  config.decoder = PayloadFormat::scalar;
  CHECK(failure(config).starts_with("heart_rate.pointer: belongs to decoder \"json\""));
}
