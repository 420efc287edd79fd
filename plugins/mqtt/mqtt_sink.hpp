// Publishes readings, or those that are flagged, each as one message. Delivered is what the broker has acknowledged.
#pragma once

#include <hbagent/sdk.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "connection.hpp"

namespace hb::bridge {

class MqttSink {
 public:
  struct Config : ConnectionConfig {
    std::string topic = "heartbeats/{customer_id}";
    std::int64_t qos = 1;
    bool retain = false;
    std::chrono::seconds message_expiry{0};
    std::int64_t max_in_flight = 1000;
    std::chrono::milliseconds write_timeout{30'000};
  };
  static constexpr auto options = std::tuple_cat(
      connection_options<Config>("\"edge-01-out\""),
      hb::options(
          hb::option("topic", &Config::topic, "Topic to publish to; {customer_id} stands for the reading's customer."),
          hb::option("qos", &Config::qos,
                     "0: the broker confirms nothing, messages may be lost; 1: at least once; 2: "
                     "exactly once to the broker.")
              .range(0, 2),
          hb::option("retain", &Config::retain, "The broker keeps the newest message of each topic."),
          hb::option("message_expiry", &Config::message_expiry,
                     "MQTT 5: the broker drops what it could not deliver for so long; 0s: never.")
              .range(std::chrono::seconds(0), std::chrono::seconds(4294967295)),
          hb::option("max_in_flight", &Config::max_in_flight, "Messages on their way without the broker's answer.")
              .range(1, 65535),
          hb::option("write_timeout", &Config::write_timeout, "How long the broker may take to confirm a batch.")
              .range(std::chrono::milliseconds(100), std::chrono::hours(1))));
  static constexpr std::uint32_t batch_size = 1000;

  // Connects nowhere. hb::Failed where the configuration cannot be used.
  MqttSink(const Config& config, hb::Host host);
  MqttSink(const MqttSink&) = delete;
  MqttSink& operator=(const MqttSink&) = delete;
  ~MqttSink() { --count_; }
  // Whether this process has one. [any thread]
  static bool exists() { return count_ > 0; }
  // Why it cannot be in one agent with a source whose readings are in memory only: Paho handles every connection of a
  // process on one thread, and the sink would wait for the message that waits for it.
  static constexpr const char* kNotInMemory =
      "with [journal] mode = \"memory\" a message of the mqtt source waits for the mqtt sink, which waits for it: use "
      "mode = \"disk\", or give the sink an agent of its own";

  void open();
  void write(hb::Batch batch);
  void close();

 private:
  struct Sent {
    std::size_t index;
    paho::token_ptr token;
  };
  using Clock = std::chrono::steady_clock;

  // Why the connection must be made anew; empty: it need not.
  std::string why_broken() const;
  // Hands the reading to Paho, or rejects it.
  void publish(const hb::Batch& batch, std::size_t index, const paho::properties& properties, std::vector<Sent>& sent);
  std::string topic_of(const Reading& reading) const;
  // Waits for the broker's answer to it; false: none will come.
  bool wait_answered(const Sent& sent);
  // Gives each its verdict; false: some go again.
  bool answer(const hb::Batch& batch, const std::vector<Sent>& sent);

  inline static std::atomic<int> count_ = 0;

  const Config config_;
  const hb::Host host_;
  std::string before_id_, after_id_;  // of the topic
  bool has_id_ = false;
  Clock::time_point deadline_, stop_deadline_;  // of the write that is under way
  std::string broken_;                          // why the connection must be made anew, where it is not lost
  Connection connection_;
};

}  // namespace hb::bridge
