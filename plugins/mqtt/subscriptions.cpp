#include "subscriptions.hpp"

#include <fstream>
#include <system_error>
#include <utility>

#include <hbcommon/replace_file.hpp>

#include "refusal.hpp"

namespace hb::bridge {
namespace {

// Somebody has to change the broker's access rules first; that need not be noticed at once.
constexpr std::chrono::seconds kAskAgain{30};
constexpr char kFresh = '?';  // in the file

}  // namespace

Subscriptions::Subscriptions(Wanted wanted, bool is_v5, std::string session, std::string file, hb::Host host)
    : wanted_(std::move(wanted)), is_v5_(is_v5), session_(std::move(session)), file_(std::move(file)), host_(host) {
  load();
}

bool Subscriptions::begin(paho::async_client& client, bool session_was_present) {
  asked_.clear();
  refused_.clear();
  granted_less_.clear();
  const bool is_gone = !session_was_present && !standing_.empty();
  if (!session_was_present) {
    standing_.clear();
    fresh_.clear();
    store();  // before anything is asked for: killed now, the next start must not take the new session for the old one
  }
  const Wanted before = standing_;
  for (const auto& [filter, qos] : before) {
    if (!wanted_.contains(filter)) ask(client, filter, false);
  }
  for (const auto& [filter, qos] : wanted_) {
    const auto found = before.find(filter);
    // A broker that died may have forgotten a subscription that was new, though it still has the session. MQTT 5 is
    // always asked, since it can be told to send retained messages only to new ones; else they come again this once.
    const bool may_be_forgotten = is_v5_ || fresh_.contains(filter);
    if (may_be_forgotten || found == before.end() || found->second != qos) ask(client, filter, true);
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
    const bool is_new = standing_.insert_or_assign(asked.filter, wanted_.at(asked.filter)).second;
    if (is_new) {
      fresh_.insert(asked.filter);
    } else {
      fresh_.erase(asked.filter);
    }
    look_at_granted(asked);
    const bool was_refused = refused_.erase(asked.filter) > 0;
    host_.info("subscribed to " + asked.filter + (was_refused ? ", which the broker had refused" : ""));
  } catch (const paho::exception& error) {
    if (!is_refusal(error)) return;  // the connection is gone: the next one asks again
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

void Subscriptions::look_at_granted(const Asked& asked) {
  granted_less_.erase(asked.filter);
  const auto codes = asked.token->get_subscribe_response().get_reason_codes();
  if (codes.empty()) return;
  const int granted = static_cast<int>(codes.front());
  if (granted >= wanted_.at(asked.filter)) return;
  granted_less_[asked.filter] = granted;
  host_.warn(granted_text(asked.filter, granted));
}

std::string Subscriptions::granted_text(const std::string& filter, int granted) const {
  return "the broker grants the subscription to " + filter + " only QoS " + std::to_string(granted) + " instead of " +
         std::to_string(wanted_.at(filter)) +
         (granted == 0 ? ": what it cannot deliver at once is lost" : ": messages may come twice") +
         "; look at its limit (Mosquitto: max_qos)";
}

std::string Subscriptions::problem() const {
  if (refused_.empty()) {
    return granted_less_.empty() ? "" : granted_text(granted_less_.begin()->first, granted_less_.begin()->second);
  }
  const auto& [filter, why] = *refused_.begin();
  std::string text = "the broker refuses the subscription to " + filter + ": " + why;
  if (refused_.size() > 1) text += " (and " + std::to_string(refused_.size() - 1) + " more)";
  return text;
}

// The session's name in the first line, then QoS, whether it is fresh, and filter.
void Subscriptions::load() {
  if (file_.empty()) return;
  std::ifstream in(file_);
  std::string line;
  if (!std::getline(in, line) || line != session_) return;
  while (std::getline(in, line)) {
    if (line.size() <= 2 || line[0] < '0' || line[0] > '2') continue;
    standing_[line.substr(2)] = line[0] - '0';
    if (line[1] == kFresh) fresh_.insert(line.substr(2));
  }
}

void Subscriptions::store() {
  if (file_.empty()) return;
  std::string text = session_ + '\n';
  for (const auto& [filter, qos] : standing_) {
    text += std::to_string(qos) + (fresh_.contains(filter) ? kFresh : ' ') + filter + '\n';
  }
  try {
    codec::replace_file(file_, text);
  } catch (const std::system_error& error) {
    host_.warn(std::string(error.what()) + ": after a restart subscriptions may be made again, or be missing");
  }
}

}  // namespace hb::bridge
