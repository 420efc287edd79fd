#include "mqtt_source.hpp"

#include <hbcommon/decode_output.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>
#include <utility>

#include "mqtt_sink.hpp"
#include "source_check.hpp"

namespace hb::bridge {
namespace {

using namespace std::chrono_literals;

constexpr auto kSlice = 100ms;
// How often an ack that is waited for is looked at: a group sync comes every few milliseconds.
constexpr auto kAckSlice = 500us;
constexpr auto kLetterPause = 500ms;
constexpr auto kPatience = 10s;

// Of one element of a payload, for the dead letters: its topic, a # (which no topic has) and its number from 1.
std::string origin_of(const std::string& topic, std::size_t element) {
  return element == 0 ? topic : topic + '#' + std::to_string(element);
}

struct Origin {
  std::string_view topic;
  bool element = false;
};

Origin parse_origin(std::string_view origin) {
  const std::size_t hash = origin.rfind('#');
  return hash == std::string_view::npos ? Origin{origin, false} : Origin{origin.substr(0, hash), true};
}

Subscriptions::Wanted wanted(const std::vector<Route>& routes) {
  Subscriptions::Wanted filters;
  for (const Route& route : routes) filters[route.filter()] = route.qos();
  return filters;
}

std::string session_of(const MqttSource::Config& config) {
  return config.server + ' ' + config.client_id + (config.version == Version::v5 ? " 5" : " 3.1.1");
}

std::string file_in(std::string_view folder) {
  return folder.empty() ? std::string() : std::string(folder) + "/subscriptions";
}

}  // namespace

MqttSource::MqttSource(const Config& config, hb::Host host)
    : config_(config),
      host_(host),
      is_in_memory_(!host.journal_survives_process() && !host.state_dir().empty()),
      must_wait_for_acks_(config.ack == Ack::synced || !host.journal_survives_process()),
      routes_(make_routes(config.subscriptions, config.max_payload.value)),
      subscriptions_(wanted(routes_), config.version == Version::v5, session_of(config), file_in(host.state_dir()),
                     host),
      receive_clock_(host),
      connection_(config, host) {
  check_source(config, host);
  if (is_in_memory_) ++in_memory_;  // last: an object that was not made is not destroyed
}

MqttSource::~MqttSource() {
  if (is_in_memory_) --in_memory_;
  close();
}

void MqttSource::open() {
  if (is_in_memory_ && MqttSink::exists()) throw Failed(MqttSink::kNotInMemory);
  set_gate(Gate::shut);
  {
    const std::lock_guard lock(mutex_);
    failure_ = nullptr;
  }
  takes_nothing_ = false;
  Connection::Session session;
  session.persistent = true;
  session.expiry = config_.session_expiry;
  session.receive_maximum = static_cast<int>(config_.receive_maximum);
  connection_.open(session, [this](const paho::message& message) { on_message(message); });
}

void MqttSource::run() {
  // However run is left, no message may be under way any more.
  struct Closing {
    MqttSource& source;
    ~Closing() { source.close(); }
  } const closing{*this};

  // First of all: Paho holds its lock while a message waits at the gate, and nothing could be asked of it.
  if (!connection_.session_was_present()) begun_ = {};  // nothing comes again
  set_gate(Gate::open);
  connection_.announce();
  if (subscriptions_.begin(connection_.client(), connection_.session_was_present())) {
    host_.warn("the broker no longer has the session of client_id = \"" + config_.client_id +
               "\": what was published while the agent was away is not delivered");
  }
  is_down_ = false;
  while (!host_.stopping()) {
    throw_what_failed();
    if (takes_nothing_) return stay_away_until_there_is_room();
    if (const std::string why = connection_.lost(); !why.empty()) throw Retry(why);
    subscriptions_.take_answers();
    subscriptions_.ask_again(connection_.client());
    const std::string problem = subscriptions_.problem();
    if (problem.empty() && std::exchange(is_down_, false)) host_.up();
    if (!problem.empty() && !std::exchange(is_down_, true)) host_.down(problem);
    connection_.wait_for(kSlice);
  }
  // What has come since would be asked for again at the next start, and bring its retained messages again.
  subscriptions_.take_answers();
}

// Returns when the agent is stopping; else throws, once the source is to be opened again.
void MqttSource::stay_away_until_there_is_room() {
  const std::string why =
      begun_.token > host_.acked()
          ? "what was received is not safe yet: disconnected until it is, and the broker keeps what comes"
          : "the journal is full or cannot be written: disconnected until there is room, and the broker keeps what "
            "comes";
  host_.down(why);
  close();
  while (!host_.stopping() && host_.acked() < begun_.token) static_cast<void>(host_.wait(kSlice));
  while (!host_.stopping() && host_.wait_room(kSlice) == HB_RETRY) continue;
  if (!host_.stopping()) throw Retry("the journal takes readings again");
}

void MqttSource::close() {
  {
    // Whoever still waits at the gate was never let in, and must not be acknowledged.
    const std::lock_guard lock(mutex_);
    if (gate_ == Gate::shut) gate_ = Gate::closed;
  }
  gate_moved_.notify_all();
  connection_.close();
  set_gate(Gate::closed);
}

void MqttSource::set_gate(Gate gate) {
  {
    const std::lock_guard lock(mutex_);
    gate_ = gate;
  }
  gate_moved_.notify_all();
}

bool MqttSource::wait_at_gate() {
  std::unique_lock lock(mutex_);
  gate_moved_.wait(lock, [this] { return gate_ != Gate::shut; });
  return gate_ == Gate::open && failure_ == nullptr && !takes_nothing_;
}

void MqttSource::throw_what_failed() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

// ---- messages, on Paho's thread ----------------------------------------------------------------------------------

void MqttSource::on_message(const paho::message& message) noexcept {
  try {
    if (wait_at_gate() && wait_room() && take(message)) return;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  // Paho acknowledges whatever this returns from; so it must find no connection.
  connection_.sever();
  connection_.wake();
}

// All of the process's connections wait for a message that waits, also one that makes room: so not for long. The broker
// keeps the message.
bool MqttSource::wait_room() {
  const auto limit = std::min<std::chrono::milliseconds>(config_.keep_alive / 2, kPatience);
  patience_ = Clock::now() + limit;
  const std::int32_t room = host_.wait_room(limit);
  if (room == HB_RETRY) takes_nothing_ = true;
  return room == HB_OK;
}

bool MqttSource::take_later(const paho::message& message, std::size_t taken, std::uint64_t token) {
  begun_ = {message.get_topic(), message.get_payload_str(), true, taken, token};
  takes_nothing_ = true;
  return false;
}

bool MqttSource::take(const paho::message& message) {
  const std::string& topic = message.get_topic();
  const paho::binary_ref& bytes = message.get_payload_ref();
  const std::string_view payload(bytes.data(), bytes.size());
  const bool again = begun_.is(message);
  if (again && begun_.token != 0 && host_.acked() >= begun_.token) {
    begun_ = {};
    return true;
  }
  std::string_view id;
  Route* const route = find(topic, id);
  receive_clock_.tick();
  readings_.clear();
  if (route == nullptr) {
    const codec::Outcome unmapped{codec::Reason::topic_not_mapped, "no subscription has this topic"};
    if (!again && !keep({codec::text(unmapped.reason), unmapped.detail, topic, payload})) return false;
  } else if (!sort(*route, message, payload, id, again)) {
    return false;
  }
  if (!emit(message, again ? begun_.taken : 0) || (must_wait_for_acks_ && !wait_safe(message))) return false;
  if (again) begun_ = {};
  return true;
}

bool MqttSource::Begun::is(const paho::message& message) const {
  const paho::binary_ref& bytes = message.get_payload_ref();
  return sorted && message.is_duplicate() && topic == message.get_topic() &&
         payload == std::string_view(bytes.data(), bytes.size());
}

// Into readings_ and the dead letters.
bool MqttSource::sort(Route& route, const paho::message& message, std::string_view payload, std::string_view id,
                      bool again) {
  const std::int64_t received_us = receive_clock_.next();
  route.decode({.bytes = payload, .context_id = id, .received_us = received_us, .retained = message.is_retained()},
               false, decoded_);
  receive_clock_.used_up_to(received_us + static_cast<std::int64_t>(decoded_.size()) - 1);
  for (std::size_t i = 0; i < decoded_.size(); ++i) {
    const codec::Decoded& decoded = decoded_[i];
    const codec::Outcome outcome = decoded.outcome;
    if (outcome.ok()) {
      readings_.push_back(decoded.reading);
    } else if (again) {
      continue;
    } else if (codec::is_no_reading(outcome.reason)) {
      host_.discard(codec::text(outcome.reason));
    } else {
      const bool is_whole = !route.has_elements() || decoded.element.size() == payload.size();
      hb::DeadLetter letter{codec::text(outcome.reason), outcome.detail,
                            origin_of(message.get_topic(), is_whole ? 0 : i + 1), decoded.element};
      if (!is_whole && route.is_named_around()) letter.key = customer_id(decoded.reading);
      if (!keep(std::move(letter))) return false;
    }
  }
  return true;
}

// Until the dead letter is kept: the disk may be full for a while.
bool MqttSource::keep(hb::DeadLetter letter) {
  if (letter.payload.size() > config_.max_payload.value) {
    letter.original_size = letter.payload.size();
    letter.payload = letter.payload.substr(0, config_.max_payload.value);
  }
  for (;;) {
    try {
      host_.dead_letter(letter);
      return true;
    } catch (const Retry&) {
      if (has_waited_long_enough()) throw;
      if (is_time_up()) return false;
    }
    std::this_thread::sleep_for(host_.stopping() ? 10ms : kLetterPause);
  }
}

// Part by part: a payload may hold more than the journal has room for at once.
bool MqttSource::emit(const paho::message& message, std::size_t taken) {
  taken = std::min(taken, readings_.size());
  for (std::span<const Reading> left = std::span<const Reading>(readings_).subspan(taken);;) {
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(patience_ - Clock::now());
    const bool is_last = left.size() <= HB_EMIT_WHOLE;
    const auto part = left.first(is_last ? left.size() : HB_EMIT_WHOLE);
    const std::int32_t status = host_.emit_within(part, is_last ? ++token_ : token_, std::max(time, 1ms));
    if (status == HB_END) return false;
    if (status != HB_RETRY) taken += part.size();
    if (status != HB_OK) return take_later(message, taken, status == HB_REOPEN && is_last ? token_ : 0);
    if (is_last) return true;
    left = left.subspan(part.size());
  }
}

bool MqttSource::wait_safe(const paho::message& message) {
  while (host_.acked() < token_) {
    if (has_waited_long_enough()) return take_later(message, readings_.size(), token_);
    if (is_time_up()) return false;
    std::this_thread::sleep_for(kAckSlice);
  }
  return true;
}

bool MqttSource::is_time_up() {
  // A token of its own: one that an empty emit has made safe must not be that of readings to come.
  return host_.stopping() && host_.emit_within({}, ++token_, 0ms) == HB_END;
}

Route* MqttSource::find(std::string_view topic, std::string_view& id) {
  for (Route& route : routes_) {
    if (route.match(topic, id)) return &route;
  }
  return nullptr;
}

// ---- without a connection ----------------------------------------------------------------------------------------

void MqttSource::decode(const hb::DecodeInput& input, const hb::DecodeOutput& output) {
  const Origin origin = input.topic.empty() ? parse_origin(input.origin) : Origin{input.topic, false};
  if (origin.topic.empty()) throw Failed("say which topic the payload is to be taken to come from");
  std::string_view id;
  Route* const route = find(origin.topic, id);
  if (route == nullptr) {
    return output.reject(codec::text(codec::Reason::topic_not_mapped), "no subscription has this topic", input.payload);
  }
  if (origin.element && route->is_named_around()) id = input.key;
  route->decode(
      {.bytes = input.payload, .context_id = id, .received_us = input.received_us, .retained = input.retained},
      origin.element, decoded_);
  codec::hand_out(decoded_, output);
}

}  // namespace hb::bridge
