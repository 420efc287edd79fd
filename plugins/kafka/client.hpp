// What librdkafka says of itself, brought to the host: health by changes of state, and its log at a low rate.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "rdkafka.hpp"

namespace hb::kafka {

// Lets the first line of a kind through, then one every `interval` that says how many it held back. librdkafka repeats
// "connection refused" for each attempt. Time is passed in. One thread at a time.
class LogGate {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kInterval{60};

  // The line to write, or nothing.
  std::optional<std::string> pass(const std::string& kind, std::string text, Clock::time_point now);

 private:
  struct Kind {
    Clock::time_point last;
    std::uint64_t held_back = 0;
  };
  std::map<std::string, Kind> kinds_;
};

// The opaque of one librdkafka client: its log and error callbacks end here, and `owner` finds the plugin from other
// callbacks. Outlives the client.
class ClientEvents {
 public:
  ClientEvents(Host host, void* owner) : host_(host), owner_(owner) {}
  ClientEvents(const ClientEvents&) = delete;
  ClientEvents& operator=(const ClientEvents&) = delete;

  // Before rd_kafka_new.
  void attach(rd_kafka_conf_t* conf);
  // Forgets what an earlier client said.
  void reset();
  // Nothing reaches the host from here on. [instance-thread]
  void mute();

  template <class Owner>
  static Owner& owner(void* opaque) {
    return *static_cast<Owner*>(static_cast<ClientEvents*>(opaque)->owner_);
  }

  // Said by whoever sees it: the host is told of changes only. [instance-thread]
  void up();
  void down(const std::string& why);
  bool is_up() const { return up_; }

  // Why brokers refuse us: the newest failure to log in or to agree on TLS; empty: none. It may pass, as when a
  // password is changed on one side first. Set while the client is polled. [instance-thread]
  const std::string& refusal() const { return refusal_; }

 private:
  static void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) noexcept;
  static void on_error(rd_kafka_t* client, int code, const char* text, void* opaque) noexcept;
  void log(int level, const char* facility, const char* text);

  Host host_;
  void* owner_;
  bool up_ = true;
  std::string refusal_;
  std::mutex log_mutex_;  // librdkafka logs from its own threads
  LogGate gate_;
  bool muted_ = false;
};

// Asks for the cluster's brokers. hb::Retry where none answers within `timeout`. [instance-thread]
void require_broker(rd_kafka_t* client, const ClientEvents& events, const std::string& brokers,
                    std::chrono::milliseconds timeout);

// Ends a consumer that has left its group, or cannot. librdkafka waits for the commits that it holds back while the
// coordinator is away, as long as a session or a request may last: what is not over at `deadline` goes on by itself,
// on a thread that keeps the muted `events`. [instance-thread]
void end_consumer(Client client, const std::shared_ptr<ClientEvents>& events,
                  std::chrono::steady_clock::time_point deadline);

}  // namespace hb::kafka
