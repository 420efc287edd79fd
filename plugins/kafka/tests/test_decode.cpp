// The source `kafka`: records that come back as dead letters.
#include <hbagent/testing.hpp>

#include "kafka_source.hpp"
#include "support/catch.hpp"

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
