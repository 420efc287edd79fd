// One connection to a broker: opened once, used until it is lost or closed, then replaced by another.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "connection_config.hpp"
#include "endpoint.hpp"
#include "paho.hpp"

namespace hb::bridge {

class Connection {
 public:
  struct Session {
    bool persistent = false;               // the broker keeps it while nobody is connected
    std::chrono::seconds expiry{0};        // how long, with MQTT 5
    std::optional<int> receive_maximum{};  // unacknowledged messages that the broker may send, with MQTT 5
    int max_in_flight = 100;               // unacknowledged messages that are sent
  };
  // [Paho's thread] of which a process has one for all its connections. Returning acknowledges the message.
  using OnMessage = std::function<void(const paho::message&)>;

  // Throws hb::Failed for options that contradict each other. Connects nowhere.
  Connection(const ConnectionConfig& config, hb::Host host);
  ~Connection();

  // Throws hb::Retry, which says why the broker cannot be reached or what it refuses. Messages may arrive before it
  // returns or throws, until close. [instance-thread]
  void open(const Session& session, OnMessage on_message);
  // Says "online" on the status topic, if there is one. Like everything that asks Paho, it waits while a message is
  // being handled: not to be called while a handler waits for this thread. REQUIRES: open has returned.
  void announce();
  // Whether the broker still had the session. REQUIRES: open has returned.
  bool session_was_present() const { return session_was_present_; }
  // Each of its functions waits while a message is being handled. REQUIRES: open has returned.
  paho::async_client& client() { return *client_; }

  // Says goodbye where that is possible, and waits until no message is being handled. [instance-thread]
  void close() noexcept;
  // Cuts the connection off below Paho, so that what a message handler returns from is not acknowledged. It closes
  // every connection of this process to that broker: the others reconnect. [any thread]
  void sever() const noexcept;

  // Why it is lost; empty while it is not. [any thread]
  std::string lost() const;
  // Returns when it is lost, wake was called, or after `time`. [instance-thread]
  void wait_for(std::chrono::milliseconds time);
  void wake();  // [any thread]

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  paho::connect_options make_options(const Session& session) const;
  void wait_connected(const paho::token_ptr& token);
  [[noreturn]] void fail_to_connect(const paho::exception& error) const;
  void publish_status(const char* status);
  void disconnect() noexcept;
  void lose(const std::string& why);
  void lose_silently();

  const ConnectionConfig config_;
  const hb::Host host_;
  const Endpoint endpoint_;
  std::unique_ptr<paho::async_client> client_;
  bool session_was_present_ = false;
  std::string session_name_;  // while it is this connection's

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string lost_;                                   // guarded by mutex_
  bool woken_ = false;                                 // guarded by mutex_
  bool was_brief_ = false;                             // the connection before this one; guarded by mutex_
  std::chrono::steady_clock::time_point opened_at_{};  // guarded by mutex_
  bool is_open_ = false;                               // only the instance's thread
};

}  // namespace hb::bridge
