// A real Kafka broker of the test's own, and a plain client to look at what is stored there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rdkafka.hpp"

// Runs deploy/lib/server.sh on free loopback ports with its data in a temporary folder. The broker dies with the
// thread that started it.
class KafkaBroker {
 public:
  KafkaBroker();
  ~KafkaBroker();
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  // Returns when the broker answers clients.
  void start();
  void stop();   // cleanly
  void crash();  // kill -9
  void pause();  // SIGSTOP: connections stay, nothing answers
  void resume();
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The broker that all tests of the program share.
  static KafkaBroker& shared();

 private:
  std::string folder_;
  int port_ = 0;
  int controller_port_ = 0;
  pid_t pid_ = -1;
};

struct Record {
  std::string key;
  std::optional<std::string> value;  // nothing: a tombstone
  std::int64_t timestamp_ms = -1;    // -1: now
  std::int32_t partition = -1;       // -1: by key
  std::int64_t offset = -1;
  std::vector<std::pair<std::string, std::string>> headers{};
};

// Talks to the broker with librdkafka directly. Every failure throws std::runtime_error.
class PlainClient {
 public:
  explicit PlainClient(std::string brokers) : brokers_(std::move(brokers)) {}

  // A topic with a name of its own. `settings` are topic settings such as max.message.bytes.
  std::string new_topic(int partitions, const std::map<std::string, std::string>& settings = {});
  void make_topic(const std::string& name, int partitions, const std::map<std::string, std::string>& settings = {});
  void produce(const std::string& topic, const std::vector<Record>& records);
  // Everything in the topic now, by partition and offset.
  std::vector<Record> read_all(const std::string& topic);
  // Committed offsets of the group by partition; -1 where there is none.
  std::vector<std::int64_t> committed(const std::string& group, const std::string& topic, int partitions);

 private:
  hb::kafka::Client client(rd_kafka_type_t type, const std::string& group = "") const;
  int partition_count(rd_kafka_t* client, const std::string& topic) const;
  std::string brokers_;
};
