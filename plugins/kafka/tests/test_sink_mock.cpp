// Failures that a real broker does not produce on demand, injected by librdkafka's own mock cluster. What a real broker
// can show is in test_sink_server.cpp.
#include <librdkafka/rdkafka.h>
#include <hbagent/testing.hpp>
// After rdkafka.h, which it needs.
#include <librdkafka/rdkafka_mock.h>

#include <memory>

#include "kafka_sink.hpp"
#include "support/catch.hpp"

using namespace std::chrono_literals;
using hb::kafka::KafkaSink;
using hb::testing::make_reading;
using hb::testing::TestBatch;
using hb::testing::TestHost;

namespace {

constexpr std::int16_t kProduceRequest = 0;  // the Kafka protocol's API key

class MockCluster {
 public:
  MockCluster() {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0));
    cluster_.reset(rd_kafka_mock_cluster_new(handle_.get(), 1));
    if (rd_kafka_mock_topic_create(cluster_.get(), "t", 2, 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("mock topic");
    }
  }
  KafkaSink::Config config() const {
    KafkaSink::Config config;
    config.brokers = rd_kafka_mock_cluster_bootstraps(cluster_.get());
    config.topic = "t";
    config.write_timeout = 10s;
    return config;
  }
  // The next `count` produce requests are answered so.
  void fail_produce(rd_kafka_resp_err_t code, int count = 1) {
    const std::vector<rd_kafka_resp_err_t> codes(static_cast<std::size_t>(count), code);
    rd_kafka_mock_push_request_errors_array(cluster_.get(), kProduceRequest, codes.size(), codes.data());
  }

 private:
  hb::kafka::Client handle_;
  std::unique_ptr<rd_kafka_mock_cluster_t, hb::kafka::Deleter<rd_kafka_mock_cluster_destroy>> cluster_;
};

TestBatch one_customer(int count) {
  std::vector<hb::Reading> readings;
  for (int i = 0; i < count; ++i) readings.push_back(make_reading("a", 1'700'000'000'000'000 + i, 60));
  return TestBatch(std::move(readings));
}

}  // namespace

TEST_CASE("a passing error of the broker is not seen outside the client") {
  MockCluster cluster;
  TestHost host;
  KafkaSink sink(cluster.config(), host.host());
  sink.open();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 2);
  auto batch = one_customer(100);
  sink.write(batch.sink_batch());
  for (std::size_t i = 0; i < 100; ++i) CHECK(batch.verdict(i).verdict == 0);
  sink.close();
}

TEST_CASE("a lost right to write is a failure, and the readings are kept") {
  MockCluster cluster;
  TestHost host;
  KafkaSink sink(cluster.config(), host.host());
  sink.open();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  auto batch = one_customer(10);
  CHECK_THROWS_AS(sink.write(batch.sink_batch()), hb::Failed);
  sink.close();
  sink.open();
  sink.write(batch.sink_batch());  // the right is back
  sink.close();
}

TEST_CASE("a producer that the brokers no longer accept is replaced") {
  MockCluster cluster;
  TestHost host;
  KafkaSink sink(cluster.config(), host.host());
  sink.open();
  cluster.fail_produce(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
  auto batch = one_customer(10);
  // librdkafka may also recover by itself, with a new epoch.
  bool reopened = false;
  try {
    sink.write(batch.sink_batch());
  } catch (const hb::Reopen&) {
    reopened = true;
    sink.close();
    sink.open();
    sink.write(batch.sink_batch());
  }
  INFO(reopened);
  for (std::size_t i = 0; i < 10; ++i) CHECK(batch.verdict(i).verdict == 0);
  sink.close();
}

TEST_CASE("one record that the broker refuses does not cost its neighbours") {
  MockCluster cluster;
  TestHost host;
  KafkaSink sink(cluster.config(), host.host());
  sink.open();
  auto batch = one_customer(10);
  // The whole batch, and then the fourth of the records that are sent alone.
  cluster.fail_produce(RD_KAFKA_RESP_ERR_INVALID_RECORD);
  cluster.fail_produce(RD_KAFKA_RESP_ERR_NO_ERROR, 3);
  cluster.fail_produce(RD_KAFKA_RESP_ERR_INVALID_RECORD);
  sink.write(batch.sink_batch());
  sink.close();
  for (std::size_t i = 0; i < 10; ++i) {
    INFO(i);
    CHECK(batch.verdict(i).verdict == (i == 3 ? HB_VERDICT_REJECT : 0));
  }
  CHECK(batch.verdict(3).reason == "refused_by_broker");
}
