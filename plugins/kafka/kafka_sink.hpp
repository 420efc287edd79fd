// Writes readings to a Kafka topic with an idempotent producer. A write returns when the brokers have confirmed it.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "client.hpp"
#include "connection.hpp"
#include "delivery.hpp"

namespace hb::kafka {

class KafkaSink {
 public:
  struct Config : ConnectionConfig {
    std::string topic = "heartbeats";
    std::string compression = "lz4";
    std::chrono::milliseconds linger{1};
    std::chrono::milliseconds write_timeout{30'000};
    bool create_topic = false;
    int partitions = 12;
    std::optional<int> replication_factor;
  };
  static constexpr auto options = std::tuple_cat(
      connection_options<Config>(),
      hb::options(
          hb::option("topic", &Config::topic, "Topic to write to."),
          hb::option("compression", &Config::compression, "How batches are compressed.")
              .choices("none", "gzip", "snappy", "lz4", "zstd"),
          hb::option("linger", &Config::linger,
                     "How long records of one write may wait for others of their partition. The last ones never wait.")
              .range(std::chrono::milliseconds(0), std::chrono::minutes(1)),
          hb::option("write_timeout", &Config::write_timeout,
                     "How long a write waits for the brokers before it says so; it is then taken up again where it "
                     "was, without sending anything twice.")
              .range(std::chrono::milliseconds(100), std::chrono::minutes(10)),
          hb::option("create_topic", &Config::create_topic,
                     "Create the topic where it is missing. An existing one is never changed."),
          hb::option("partitions", &Config::partitions, "Partitions of a topic that is created.").range(1, 100'000),
          hb::option("replication_factor", &Config::replication_factor,
                     "Replicas of a topic that is created; none: the brokers' default.")
              .range(1, 32'767)
              .example("3")));
  // Large, because a write is one round trip at least; a batch takes about 6 MB in the client.
  static constexpr std::uint32_t batch_size = 50'000;

  // Connects nowhere. hb::Failed where the configuration cannot be used.
  KafkaSink(const Config& config, hb::Host host);
  void open();
  void write(hb::Batch batch);
  void close();

 private:
  using Clock = std::chrono::steady_clock;

  void take_up(std::span<const Reading> readings);
  void send_unsent(std::span<const Reading> readings, Clock::time_point deadline);
  void send(std::span<const Reading> readings, std::size_t index, Clock::time_point deadline);
  void await(std::span<const Reading> readings, Clock::time_point deadline);
  void isolate_suspects(std::span<const Reading> readings, Clock::time_point deadline);
  void answer(const hb::Batch& batch);
  void answer_one(const hb::Batch& batch, std::size_t index);
  void use_smaller_batches();
  void give_up_in_flight(std::chrono::milliseconds limit);
  bool is_over(Clock::time_point deadline);
  [[noreturn]] void put_off(std::span<const Reading> readings);
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) noexcept;

  Config config_;
  hb::Host host_;
  Properties properties_;
  ClientEvents events_;
  Deliveries deliveries_;
  // The readings of a write that was put off while some were in flight; the next write goes on with it.
  std::vector<Reading> put_off_;
  std::optional<Clock::time_point> stopping_since_;
  int batch_messages_ = 0;     // batch.num.messages; shrinks where the topic takes only smaller batches
  bool batch_shrunk_ = false;  // a new producer is needed for it
  Client client_;
  Topic topic_;
};

}  // namespace hb::kafka
