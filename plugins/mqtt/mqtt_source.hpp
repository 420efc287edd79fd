// The wearable bridge: heart rates that devices publish by MQTT. A message is acknowledged to the broker only when its
// readings are safe.
#pragma once

#include <hbagent/sdk.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "connection.hpp"
#include "route.hpp"
#include "subscriptions.hpp"

namespace hb::bridge {

class MqttSource {
 public:
  enum class Ack : std::uint8_t { journaled, synced };
  struct Config : ConnectionConfig {
    std::vector<Subscription> subscriptions;
    Ack ack = Ack::journaled;
    std::chrono::seconds session_expiry{7 * 24 * 3600};
    std::int64_t receive_maximum = 65535;
    Bytes max_payload = 64_KiB;
  };
  static constexpr auto options = std::tuple_cat(
      connection_options<Config>("\"edge-01\""),
      hb::options(
          hb::option("subscription", &Config::subscriptions, "What to subscribe to, each with its own mapping.")
              .required(),
          hb::option("ack", &Config::ack,
                     "When a message is acknowledged. journaled: its readings survive the agent's death; synced: also "
                     "the machine's, at the price of one sync a message.")
              .choices("journaled", "synced"),
          hb::option("session_expiry", &Config::session_expiry,
                     "MQTT 5: how long the broker keeps messages for this agent while it is away.")
              .range(std::chrono::seconds(0), std::chrono::seconds(4294967295)),
          hb::option("receive_maximum", &Config::receive_maximum,
                     "MQTT 5: how many unacknowledged messages the broker may send.")
              .range(1, 65535),
          hb::option("max_payload", &Config::max_payload, "Larger payloads go to the dead letters, cut to this.")
              .range(Bytes{64}, 16_MiB)));

  // Connects nowhere. hb::Failed where the configuration cannot be used.
  MqttSource(const Config& config, hb::Host host);
  void open();
  void run();
  void close();
  void decode(const hb::DecodeInput& input, const hb::DecodeOutput& output);

 private:
  // Messages may come as soon as there is a connection, but can be taken only while run runs.
  enum class Gate : std::uint8_t { shut, open, closed };

  // [Paho's thread]
  void on_message(const paho::message& message) noexcept;
  bool take(const paho::message& message);  // false: nobody has it, and it must not be acknowledged
  void sort(const Route& route, const std::string& topic, std::string_view payload);
  bool keep(const hb::DeadLetter& letter);
  bool wait_safe();
  bool wait_room();  // false: there is none, or the agent takes nothing any more
  // Whether the agent takes nothing any more.
  bool is_time_up();
  bool wait_at_gate();

  Route* find(std::string_view topic, std::string_view& id);
  void set_gate(Gate gate);
  void throw_what_failed();
  void stay_away_until_there_is_room();

  const Config config_;
  const hb::Host host_;
  const bool must_wait_for_acks_;
  std::vector<Route> routes_;
  Subscriptions subscriptions_;
  Connection connection_;
  bool is_down_ = false;
  std::atomic<bool> is_full_{false};  // the journal, for longer than a message may wait

  std::mutex mutex_;
  std::condition_variable gate_moved_;
  Gate gate_ = Gate::shut;      // guarded by mutex_
  std::exception_ptr failure_;  // guarded by mutex_

  // Only Paho's thread, or, in decode, the instance's.
  hb::ReceiveClock receive_clock_;
  std::uint64_t token_ = 0;  // grows over every open: the agent's rule
  std::vector<codec::Decoded> decoded_;
  std::vector<Reading> readings_;
};

}  // namespace hb::bridge
