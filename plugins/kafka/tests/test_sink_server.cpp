// The sink against a real broker.
#include <hbagent/testing.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <future>
#include <set>

#include "kafka_broker.hpp"
#include "kafka_sink.hpp"
#include "support/catch.hpp"
#include "wait_until.hpp"

using namespace std::chrono_literals;
using hb::kafka::KafkaSink;
using hb::testing::make_reading;
using hb::testing::TestBatch;
using hb::testing::TestHost;

namespace {

// Long ago: brokers refuse records from the future.
constexpr std::int64_t kTime = 1'700'000'000'123'456;  // 2023-11-14T22:13:20.123456Z

KafkaSink::Config config_for(const KafkaBroker& broker, const std::string& topic) {
  KafkaSink::Config config;
  config.brokers = broker.address();
  config.topic = topic;
  return config;
}

// Received now: a broker that starts forgets what it knows of producers whose last record is a day old
// (producer.id.expiration.ms, by the record's time).
std::vector<hb::Reading> many_readings(int count, int customers = 100) {
  static const std::int64_t now = TestHost().host().now_us();
  std::vector<hb::Reading> readings;
  for (int i = 0; i < count; ++i) {
    readings.push_back(
        make_reading("cust_" + std::to_string(i % customers), kTime + i * 1'000'000LL, 60 + i % 60, 0, now));
  }
  return readings;
}

std::multiset<std::string> values(const std::vector<Record>& records) {
  std::multiset<std::string> all;
  for (const Record& record : records) all.insert(record.value.value());
  return all;
}

std::multiset<std::string> formatted(const std::vector<hb::Reading>& readings) {
  std::multiset<std::string> all;
  for (const hb::Reading& reading : readings) {
    char json[hb::codec::kReadingJsonCapacity];
    all.emplace(json, hb::codec::format_reading(reading, json));
  }
  return all;
}

std::size_t warnings_with(const TestHost& host, const std::string& text) {
  const auto logs = host.logs();
  return static_cast<std::size_t>(std::count_if(logs.begin(), logs.end(), [&](const auto& line) {
    return line.first >= HB_LOG_WARNING && line.second.find(text) != std::string::npos;
  }));
}

}  // namespace

TEST_CASE("a reading is stored with its key, value and time, in the partition that Java clients choose") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(12);
  TestHost host;
  KafkaSink sink(config_for(KafkaBroker::shared(), topic), host.host());
  sink.open();
  // Partitions of 12 as org.apache.kafka.common.utils.Utils (kafka-clients 4.4.0) computes them.
  const std::map<std::string, int> partitions = {{"21", 0},
                                                 {"foobar", 6},
                                                 {"a-little-bit-long-string", 8},
                                                 {"a-little-bit-longer-string", 11},
                                                 {"abc", 3},
                                                 {"cust_00042", 0},
                                                 {"ä-kunde", 9},
                                                 {"urn:uuid:6e8bc430-9c3a-11d9-9669-0800200", 10}};
  std::vector<hb::Reading> readings;
  for (const auto& [id, partition] : partitions) {
    readings.push_back(make_reading(id, kTime, 72, HB_FLAG_HIGH, kTime + 5'999'999));
  }
  TestBatch batch(readings);
  sink.write(batch.sink_batch());
  sink.close();

  const auto records = kafka.read_all(topic);
  REQUIRE(records.size() == partitions.size());
  for (const Record& record : records) {
    INFO(record.key);
    CHECK(record.partition == partitions.at(record.key));
    CHECK(record.timestamp_ms == (kTime + 5'999'999) / 1000);
    CHECK(record.value.value() == R"({"customer_id":")" + record.key +
                                      R"(","time":"2023-11-14T22:13:20.123456Z","heart_rate":72,"flags":["high"]})");
  }
  for (std::size_t i = 0; i < readings.size(); ++i) CHECK(batch.verdict(i).verdict == 0);
}

TEST_CASE("a large batch is stored exactly, whatever the compression") {
  const std::string compression = GENERATE("none", "gzip", "snappy", "lz4", "zstd");
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(3);
  TestHost host;
  auto config = config_for(KafkaBroker::shared(), topic);
  config.compression = compression;
  KafkaSink sink(config, host.host());
  sink.open();
  TestBatch batch(many_readings(30'000));
  sink.write(batch.sink_batch());
  sink.close();
  INFO(compression);
  const auto stored = kafka.read_all(topic);
  CHECK(stored.size() == 30'000);
  CHECK((values(stored) == formatted(many_readings(30'000))));
}

TEST_CASE("a broker that goes away for ten seconds in mid-write costs nothing and stores nothing twice") {
  KafkaBroker broker;
  PlainClient kafka(broker.address());
  const std::string topic = kafka.new_topic(6);
  TestHost host;
  auto config = config_for(broker, topic);
  config.write_timeout = 3s;  // shorter than the outage: writes are put off and taken up again
  config.linger = 0ms;
  KafkaSink sink(config, host.host());
  sink.open();

  const auto readings = many_readings(400'000);
  int put_off = 0;
  std::atomic<std::size_t> delivered{0};
  auto writing = std::async(std::launch::async, [&] {
    constexpr std::size_t kSize = 5000;
    for (std::size_t first = 0; first < readings.size(); first += kSize) {
      TestBatch batch({readings.begin() + static_cast<std::ptrdiff_t>(first),
                       readings.begin() + static_cast<std::ptrdiff_t>(first + kSize)});
      for (bool done = false; !done;) {
        try {
          sink.write(batch.sink_batch());
          done = true;
        } catch (const hb::Retry&) {
          ++put_off;
        }
      }
      for (std::size_t i = 0; i < kSize; ++i) {
        if (batch.verdict(i).verdict != 0) throw std::runtime_error("a verdict: " + batch.verdict(i).detail);
      }
      delivered += kSize;
    }
  });
  wait_until("some are written", 90s, [&] { return delivered >= 20'000; });
  const bool was_running = delivered < readings.size();
  broker.stop();
  wait_until("the outage is noticed", 90s, [&] { return host.health() && !host.health()->first; });
  const auto back_at = std::chrono::steady_clock::now() + 10s;
  wait_until("ten seconds", 11s, [&] { return std::chrono::steady_clock::now() >= back_at; });
  broker.start();
  writing.get();
  sink.close();

  REQUIRE(was_running);
  CHECK(put_off >= 2);
  CHECK(host.health()->first);
  const auto stored = kafka.read_all(topic);
  CHECK(stored.size() == readings.size());  // neither lost nor doubled
  CHECK((values(stored) == formatted(readings)));
  CHECK(warnings_with(host, "") <= 6);
}

TEST_CASE("a broker that hangs is reported, and the write is taken up where it was") {
  KafkaBroker broker;
  PlainClient kafka(broker.address());
  const std::string topic = kafka.new_topic(2);
  TestHost host;
  auto config = config_for(broker, topic);
  config.write_timeout = 500ms;
  KafkaSink sink(config, host.host());
  sink.open();
  TestBatch batch(many_readings(1000));
  broker.pause();
  CHECK_THROWS_AS(sink.write(batch.sink_batch()), hb::Retry);
  CHECK_THROWS_AS(sink.write(batch.sink_batch()), hb::Retry);
  CHECK_FALSE(host.health()->first);
  broker.resume();
  // More readings may have joined the batch meanwhile.
  TestBatch larger(many_readings(1500));
  wait_until("it is delivered", 90s, [&] {
    try {
      sink.write(larger.sink_batch());
      return true;
    } catch (const hb::Retry&) {
      return false;
    }
  });
  sink.close();
  CHECK(host.health()->first);
  const auto stored = kafka.read_all(topic);
  CHECK(stored.size() == 1500);
  CHECK((values(stored) == formatted(many_readings(1500))));
}

TEST_CASE("a stop is not held up by a broker that does not answer") {
  KafkaBroker broker;
  PlainClient kafka(broker.address());
  const std::string topic = kafka.new_topic(1);
  TestHost host;
  KafkaSink sink(config_for(broker, topic), host.host());
  sink.open();
  broker.pause();
  host.stop();
  TestBatch batch(many_readings(100));
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(sink.write(batch.sink_batch()), hb::Retry);
  sink.close();
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  broker.resume();
}

TEST_CASE("a topic that takes only small batches gets small batches") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1, {{"max.message.bytes", "2000"}});
  TestHost host;
  auto config = config_for(KafkaBroker::shared(), topic);
  config.compression = "none";
  KafkaSink sink(config, host.host());
  sink.open();
  auto left = many_readings(2000);
  int reopened = 0;
  for (int round = 0; round < 30 && !left.empty(); ++round) {
    TestBatch batch(left);
    try {
      sink.write(batch.sink_batch());
    } catch (const hb::Reopen&) {
      ++reopened;
      sink.close();
      sink.open();
      continue;
    }
    std::vector<hb::Reading> again;
    for (std::size_t i = 0; i < left.size(); ++i) {
      REQUIRE((batch.verdict(i).verdict == 0 || batch.verdict(i).verdict == HB_VERDICT_RETRY));
      if (batch.verdict(i).verdict == HB_VERDICT_RETRY) again.push_back(left[i]);
    }
    left = again;
  }
  sink.close();
  CHECK(left.empty());
  CHECK(reopened >= 1);
  CHECK((values(kafka.read_all(topic)) == formatted(many_readings(2000))));
}

TEST_CASE("a reading that the topic cannot take at all is rejected") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1, {{"max.message.bytes", "180"}});
  TestHost host;
  auto config = config_for(KafkaBroker::shared(), topic);
  config.compression = "none";
  config.rdkafka["batch.num.messages"] = "1";
  KafkaSink sink(config, host.host());
  sink.open();
  // About 160 bytes as a batch of one, and about 205.
  TestBatch batch({make_reading("a", kTime, 60), make_reading(std::string(41, 'x'), kTime, 60, 0x1f),
                   make_reading("b", kTime, 60)});
  sink.write(batch.sink_batch());
  sink.close();
  CHECK(batch.verdict(0).verdict == 0);
  CHECK(batch.verdict(1).verdict == HB_VERDICT_REJECT);
  CHECK(batch.verdict(1).reason == "too_large");
  CHECK(batch.verdict(2).verdict == 0);
  CHECK(kafka.read_all(topic).size() == 2);
}

TEST_CASE("a record time that the broker refuses costs only its own reading") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1, {{"message.timestamp.after.max.ms", "60000"}});
  TestHost host;
  KafkaSink sink(config_for(KafkaBroker::shared(), topic), host.host());
  sink.open();
  auto readings = many_readings(50);
  const std::int64_t now = host.host().now_us();
  for (auto& reading : readings) reading.received_us = now;
  readings[17].received_us = now + 3'600'000'000;
  TestBatch batch(readings);
  sink.write(batch.sink_batch());
  // The producer goes on after a refusal.
  TestBatch next({make_reading("later", kTime, 61, 0, now)});
  sink.write(next.sink_batch());
  sink.close();
  for (std::size_t i = 0; i < readings.size(); ++i) {
    INFO(i << ' ' << batch.verdict(i).detail);
    CHECK(batch.verdict(i).verdict == (i == 17 ? HB_VERDICT_REJECT : 0));
  }
  CHECK(batch.verdict(17).reason == "refused_by_broker");
  CHECK(next.verdict(0).verdict == 0);
  CHECK(kafka.read_all(topic).size() == 50);
}

TEST_CASE("what cannot be written as JSON is rejected with a reason") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  TestHost host;
  KafkaSink sink(config_for(KafkaBroker::shared(), topic), host.host());
  sink.open();
  TestBatch batch({make_reading("a", kTime, 60), make_reading("b\x01", kTime, 60), make_reading("c", kTime, 60)});
  sink.write(batch.sink_batch());
  sink.close();
  CHECK(batch.verdict(1).verdict == HB_VERDICT_REJECT);
  CHECK(batch.verdict(1).reason == "bad_customer_id");
  CHECK(kafka.read_all(topic).size() == 2);
}

TEST_CASE("a missing topic is created with the wanted partitions, an existing one is left alone") {
  PlainClient kafka(KafkaBroker::shared().address());
  TestHost host;
  auto config = config_for(KafkaBroker::shared(), "made-by-the-sink");
  config.create_topic = true;
  config.partitions = 7;
  {
    KafkaSink sink(config, host.host());
    sink.open();
    TestBatch batch(many_readings(10));
    sink.write(batch.sink_batch());
    sink.close();
  }
  CHECK(kafka.committed("any", "made-by-the-sink", 7).size() == 7);
  CHECK(warnings_with(host, "partitions") == 0);
  config.partitions = 9;
  KafkaSink sink(config, host.host());
  sink.open();
  sink.close();
  CHECK(warnings_with(host, "has 7 partitions, not the configured 9") == 1);
  CHECK(kafka.read_all("made-by-the-sink").size() == 10);
}

TEST_CASE("no broker is a retry, a topic name that cannot be is a failure") {
  TestHost host;
  KafkaSink::Config config;
  config.brokers = "127.0.0.1:1";
  KafkaSink nowhere(config, host.host());
  CHECK_THROWS_AS(nowhere.open(), hb::Retry);
  nowhere.close();
  KafkaSink misnamed(config_for(KafkaBroker::shared(), "not a topic"), host.host());
  CHECK_THROWS_AS(misnamed.open(), hb::Failed);
  misnamed.close();
}
