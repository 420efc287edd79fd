// What the tests of the source share: records that have a number, and a source that runs as in the agent.
#pragma once

#include <hbagent/testing.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <future>
#include <set>
#include <string>
#include <vector>

#include "kafka_broker.hpp"
#include "kafka_source.hpp"

inline constexpr std::int64_t kTime = 1'700'000'000'123'456;  // 2023-11-14T22:13:20.123456Z

inline hb::kafka::KafkaSource::Config config_for(const KafkaBroker& broker, const std::string& topic) {
  hb::kafka::KafkaSource::Config config;
  config.brokers = broker.address();
  config.topics = {topic};
  config.group_id = "group-of-" + topic;
  config.commit_interval = std::chrono::milliseconds(50);
  return config;
}

inline std::string json_of(const hb::Reading& reading) {
  char json[hb::codec::kReadingJsonCapacity];
  return {json, hb::codec::format_reading(reading, json)};
}

// Record i is at time kTime + i seconds, so that a reading names its record.
inline std::vector<Record> numbered_records(int count, int first = 0) {
  std::vector<Record> records;
  for (int i = first; i < first + count; ++i) {
    const std::string id = "cust_" + std::to_string(i % 50);
    records.push_back({id, json_of(hb::testing::make_reading(id, kTime + i * 1'000'000LL, 60 + i % 60))});
  }
  return records;
}

inline std::multiset<std::int64_t> numbers(const std::vector<hb::Reading>& readings) {
  std::multiset<std::int64_t> all;
  for (const hb::Reading& reading : readings) all.insert((reading.time_us - kTime) / 1'000'000);
  return all;
}

inline std::multiset<std::int64_t> range(std::int64_t count) {
  std::multiset<std::int64_t> all;
  for (std::int64_t i = 0; i < count; ++i) all.insert(all.end(), i);
  return all;
}

// A source as the agent runs it: every call on one thread, closed when the host stops.
class RunningSource {
 public:
  RunningSource(hb::testing::TestHost& host, const hb::kafka::KafkaSource::Config& config)
      : host_(host), done_(std::async(std::launch::async, [this, config] { run(config); })) {}
  ~RunningSource() {
    if (done_.valid()) {
      host_.stop();
      done_.wait();
    }
  }
  RunningSource(const RunningSource&) = delete;
  RunningSource& operator=(const RunningSource&) = delete;

  // Stops and closes it; throws what it met.
  void stop() {
    host_.stop();
    done_.get();
  }
  bool is_done() const { return done_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  // Waits for it to end by itself.
  void end() { done_.get(); }

 private:
  void run(const hb::kafka::KafkaSource::Config& config) {
    hb::kafka::KafkaSource source(config, host_.host());
    try {
      source.open();
      source.run();
    } catch (...) {
      source.close();
      throw;
    }
    source.close();
  }
  hb::testing::TestHost& host_;
  std::future<void> done_;
};

inline std::int64_t sum(const std::vector<std::int64_t>& offsets) {
  std::int64_t total = 0;
  for (const auto offset : offsets) total += std::max<std::int64_t>(offset, 0);
  return total;
}
