// What the broker's session is subscribed to, kept over restarts: a subscription that stands is not made again, which
// would bring its retained messages again, and one that is no longer configured is taken back.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "paho.hpp"

namespace hb::bridge {

// One thread at a time.
class Subscriptions {
 public:
  // filter -> QoS
  using Wanted = std::map<std::string, int>;

  // `session` names the session: what is kept of another one does not count. `file` is where it is kept; empty:
  // nowhere.
  Subscriptions(Wanted wanted, bool is_v5, std::string session, std::string file, hb::Host host);

  // A connection was made. Asks for what is missing, and takes back what is not wanted any more; does not wait. Returns
  // whether the session ought to have been there and was not.
  bool begin(paho::async_client& client, bool session_was_present);
  // Looks at the answers that have come, and keeps what changed.
  void take_answers();
  // Asks again for what was refused, when it is time.
  void ask_again(paho::async_client& client);

  // For a person; empty where every subscription stands or is under way.
  std::string problem() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Asked {
    std::string filter;
    bool on;
    paho::token_ptr token;
  };

  void ask(paho::async_client& client, const std::string& filter, bool on);
  paho::token_ptr subscribe(paho::async_client& client, const std::string& filter) const;
  void settle(const Asked& asked);
  void look_at_granted(const Asked& asked);
  std::string granted_text(const std::string& filter, int granted) const;
  void load();
  void store();

  const Wanted wanted_;
  const bool is_v5_;
  const std::string session_;
  const std::string file_;
  const hb::Host host_;
  Wanted standing_;
  std::set<std::string> fresh_;              // asked for once, and not confirmed at a later connection
  std::map<std::string, int> granted_less_;  // filter -> QoS
  std::vector<Asked> asked_;
  std::map<std::string, std::string> refused_;  // filter -> why
  Clock::time_point again_at_;
};

}  // namespace hb::bridge
