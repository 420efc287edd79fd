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
  MqttSource(const MqttSource&) = delete;
  MqttSource& operator=(const MqttSource&) = delete;
  ~MqttSource();
  void open();
  void run();
  void close();
  void decode(const hb::DecodeInput& input, const hb::DecodeOutput& output);
  // Whether this process has one whose readings do not outlive it. [any thread]
  static bool any_in_memory() { return in_memory_ > 0; }

 private:
  // Messages may come as soon as there is a connection, but can be taken only while run runs.
  enum class Gate : std::uint8_t { shut, open, closed };
  using Clock = std::chrono::steady_clock;
  // A message that could not be acknowledged in time: it comes again, and what was done with it is not done twice.
  struct Begun {
    bool is(const paho::message& message) const;
    std::string topic, payload;
    bool sorted = false;      // discards are counted and dead letters kept
    std::size_t taken = 0;    // readings, from its first one on
    std::uint64_t token = 0;  // all are taken, and safe once this one is acked
  };

  // [Paho's thread]
  void on_message(const paho::message& message) noexcept;
  // All of these: false where nobody has the message, and it must not be acknowledged.
  bool wait_at_gate();
  bool wait_room();
  bool take(const paho::message& message);
  bool sort(Route& route, const paho::message& message, std::string_view payload, std::string_view id, bool again);
  bool keep(hb::DeadLetter letter);
  bool emit(const paho::message& message, std::size_t taken);
  bool wait_safe(const paho::message& message);
  // What takes longer than a message may wait is waited for without a connection.
  // `token`: that of all its readings, where they are taken but not safe yet.
  bool take_later(const paho::message& message, std::size_t taken, std::uint64_t token);
  bool has_waited_long_enough() const { return Clock::now() >= patience_; }
  // Whether the agent takes nothing any more.
  bool is_time_up();

  Route* find(std::string_view topic, std::string_view& id);
  void set_gate(Gate gate);
  void throw_what_failed();
  void stay_away_until_there_is_room();

  inline static std::atomic<int> in_memory_ = 0;

  const Config config_;
  const hb::Host host_;
  const bool is_in_memory_;  // not in `check`
  const bool must_wait_for_acks_;
  std::vector<Route> routes_;
  Subscriptions subscriptions_;
  bool is_down_ = false;
  std::atomic<bool> takes_nothing_{false};  // the journal, for longer than a message may wait

  std::mutex mutex_;
  std::condition_variable gate_moved_;
  Gate gate_ = Gate::shut;      // guarded by mutex_
  std::exception_ptr failure_;  // guarded by mutex_

  // Only Paho's thread, or, while no message is handled, the instance's.
  hb::ReceiveClock receive_clock_;
  std::uint64_t token_ = 1;     // grows over every open: the agent's rule
  Clock::time_point patience_;  // until when the message under way may wait
  Begun begun_;
  std::vector<codec::Decoded> decoded_;
  std::vector<Reading> readings_;

  Connection connection_;  // the first to go: a message may still wait at the gate
};

}  // namespace hb::bridge
