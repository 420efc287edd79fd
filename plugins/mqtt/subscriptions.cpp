#include "subscriptions.hpp"

#include <cstdio>
#include <fstream>
#include <utility>

#include "refusal.hpp"

namespace hb::bridge {
namespace {

// Somebody has to change the broker's access rules first; that need not be noticed at once.
constexpr std::chrono::seconds kAskAgain{30};

}  // namespace

Subscriptions::Subscriptions(Wanted wanted, bool is_v5, std::string session, std::string file, hb::Host host)
    : wanted_(std::move(wanted)), is_v5_(is_v5), session_(std::move(session)), file_(std::move(file)), host_(host) {
  load();
}

bool Subscriptions::begin(paho::async_client& client, bool session_was_present) {
  asked_.clear();
  refused_.clear();
  const bool is_gone = !session_was_present && !standing_.empty();
  if (!session_was_present) {
    standing_.clear();
    store();  // before anything is asked for: killed now, the next start must not take the new session for the old one
  }
  const Wanted before = standing_;
  for (const auto& [filter, qos] : before) {
    if (!wanted_.contains(filter)) ask(client, filter, false);
  }
  for (const auto& [filter, qos] : wanted_) {
    const auto found = before.find(filter);
    // MQTT 5 is always asked: a broker may have forgotten a subscription of a session that it still has, and it can be
    // told to send retained messages only to new ones.
    if (is_v5_ || found == before.end() || found->second != qos) ask(client, filter, true);
  }
  return is_gone;
}

void Subscriptions::ask(paho::async_client& client, const std::string& filter, bool on) {
  try {
    asked_.push_back({filter, on, on ? subscribe(client, filter) : client.unsubscribe(filter)});
  } catch (const paho::exception& error) {  // the connection is gone: the next one asks again
    host_.debug("cannot ask for " + filter + ": " + text_of(error));
  }
}

paho::token_ptr Subscriptions::subscribe(paho::async_client& client, const std::string& filter) const {
  if (!is_v5_) return client.subscribe(filter, wanted_.at(filter));
  paho::subscribe_options options;
  options.set_retain_handling(paho::subscribe_options::SEND_RETAINED_ON_NEW);
  return client.subscribe(filter, wanted_.at(filter), options);
}

void Subscriptions::take_answers() {
  const std::size_t before = asked_.size();
  std::erase_if(asked_, [this](const Asked& asked) {
    if (!asked.token->is_complete()) return false;
    settle(asked);
    return true;
  });
  if (asked_.size() != before) store();
}

void Subscriptions::ask_again(paho::async_client& client) {
  if (refused_.empty() || !asked_.empty() || Clock::now() < again_at_) return;
  again_at_ = Clock::now() + kAskAgain;
  for (const auto& [filter, why] : refused_) ask(client, filter, true);
}

void Subscriptions::settle(const Asked& asked) {
  try {
    static_cast<void>(asked.token->try_wait());
    if (!asked.on) {
      standing_.erase(asked.filter);
      host_.info("no longer subscribed to " + asked.filter);
      return;
    }
    standing_[asked.filter] = wanted_.at(asked.filter);
    const bool was_refused = refused_.erase(asked.filter) > 0;
    host_.info("subscribed to " + asked.filter + (was_refused ? ", which the broker had refused" : ""));
  } catch (const paho::exception& error) {
    if (!asked.on && static_cast<int>(error.get_reason_code()) == MQTTREASONCODE_NO_SUBSCRIPTION_FOUND) {
      standing_.erase(asked.filter);
      return;
    }
    if (!asked.on) {
      host_.warn("the broker does not end the subscription to " + asked.filter + ": " + text_of(error));
      return;
    }
    if (refused_.emplace(asked.filter, text_of(error)).second) {
      host_.error("the broker refuses the subscription to " + asked.filter + ": " + text_of(error) +
                  "; look at its access rules. It is asked again every " + std::to_string(kAskAgain.count()) + " s");
    }
    again_at_ = Clock::now() + kAskAgain;
  }
}

std::string Subscriptions::problem() const {
  if (refused_.empty()) return {};
  const auto& [filter, why] = *refused_.begin();
  std::string text = "the broker refuses the subscription to " + filter + ": " + why;
  if (refused_.size() > 1) text += " (and " + std::to_string(refused_.size() - 1) + " more)";
  return text;
}

// The session's name in the first line, then QoS and filter.
void Subscriptions::load() {
  if (file_.empty()) return;
  std::ifstream in(file_);
  std::string line;
  if (!std::getline(in, line) || line != session_) return;
  while (std::getline(in, line)) {
    if (line.size() > 2 && line[0] >= '0' && line[0] <= '2') standing_[line.substr(2)] = line[0] - '0';
  }
}

// After a crash at worst an older state: then something is asked for that stands already.
void Subscriptions::store() {
  if (file_.empty()) return;
  const std::string fresh = file_ + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << session_ << '\n';
  for (const auto& [filter, qos] : standing_) out << qos << ' ' << filter << '\n';
  if (!out.flush() || std::rename(fresh.c_str(), file_.c_str()) != 0) {
    host_.warn("cannot keep " + file_ + ": after a restart every subscription is made again");
  }
}

}  // namespace hb::bridge
