#include "mqtt_sink.hpp"

#include <hbcommon/wire.hpp>

#include <array>
#include <string_view>

#include "mqtt_source.hpp"
#include "refusal.hpp"

namespace hb::bridge {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kIdMark = "{customer_id}";
constexpr auto kSlice = 50ms;
// After a stop was asked for, the broker gets this long to confirm what is under way.
constexpr auto kStopGrace = 2s;

// What to do with a message that the broker has refused (MQTT 5 says why; 3.1.1 cannot refuse one).
bool is_for_good(const paho::exception& error) {
  switch (static_cast<int>(error.get_reason_code())) {
    case MQTTREASONCODE_TOPIC_NAME_INVALID:
    case MQTTREASONCODE_PACKET_TOO_LARGE:
    case MQTTREASONCODE_PAYLOAD_FORMAT_INVALID:
      return true;
    default:
      return false;
  }
}

}  // namespace

MqttSink::MqttSink(const Config& config, hb::Host host) : config_(config), host_(host), connection_(config, host) {
  if (config.topic.empty()) throw Failed("topic is empty");
  if (config.topic.find_first_of("+#") != std::string::npos) throw Failed("topic: + and # are for subscriptions");
  const std::size_t mark = config.topic.find(kIdMark);
  has_id_ = mark != std::string::npos;
  before_id_ = config.topic.substr(0, mark);
  if (has_id_) after_id_ = config.topic.substr(mark + kIdMark.size());
  if ((before_id_ + after_id_).find_first_of("{}") != std::string::npos) {
    throw Failed("topic = \"" + config.topic + "\": {customer_id} is all that may stand in braces, and once");
  }
  if (config.message_expiry > 0s && config.version == Version::v3) {
    throw Failed("message_expiry needs version = \"5\"");
  }
  ++count_;  // last: an object that was not made is not destroyed
}

void MqttSink::open() {
  if (MqttSource::any_in_memory()) throw Failed(kNotInMemory);
  broken_.clear();
  Connection::Session session;
  session.max_in_flight = static_cast<int>(config_.max_in_flight);
  connection_.open(session, [](const paho::message&) {});
  connection_.announce();
}

void MqttSink::close() {
  connection_.close();
}

// What was confirmed stays delivered, also where the connection is lost in between.
void MqttSink::write(hb::Batch batch) {
  if (const std::string why = why_broken(); !why.empty()) throw Reopen(why);
  deadline_ = Clock::now() + config_.write_timeout;
  stop_deadline_ = Clock::time_point::max();
  paho::properties properties;
  if (config_.message_expiry > 0s) {
    properties.add({paho::property::MESSAGE_EXPIRY_INTERVAL, seconds_value(config_.message_expiry)});
  }
  std::vector<Sent> sent;
  sent.reserve(batch.size());
  std::size_t next = 0, answered = 0;
  // No more is handed to Paho than may be on its way: a lost connection leaves it in Paho's memory for ever.
  for (; next < batch.size() && why_broken().empty(); ++next) {
    publish(batch, next, properties, sent);
    while (sent.size() - answered >= static_cast<std::size_t>(config_.max_in_flight) && wait_answered(sent[answered])) {
      ++answered;
    }
  }
  while (answered < sent.size() && wait_answered(sent[answered])) ++answered;
  for (; next < batch.size(); ++next) batch.retry(next);
  const bool all = answer(batch, sent);
  const std::string why = why_broken();
  if (!why.empty() && answered == 0) throw Reopen(why);
  if (!all || !why.empty()) host_.warn(why.empty() ? "the broker refused some messages; they go again" : why);
}

std::string MqttSink::why_broken() const {
  const std::string lost = connection_.lost();
  return lost.empty() ? broken_ : lost;
}

bool MqttSink::wait_answered(const Sent& sent) {
  while (!sent.token->is_complete()) {
    if (!why_broken().empty()) return false;
    if (host_.stopping() && stop_deadline_ == Clock::time_point::max()) stop_deadline_ = Clock::now() + kStopGrace;
    if (const auto now = Clock::now(); now >= std::min(deadline_, stop_deadline_)) {
      broken_ = "the broker has not confirmed all messages in " +
                std::string(now >= deadline_ ? "write_timeout" : "the time left to stop");
      return false;
    }
    try {
      static_cast<void>(sent.token->wait_for(kSlice));
    } catch (const paho::exception&) {  // answered, and looked at in answer()
    }
  }
  return true;
}

void MqttSink::publish(const hb::Batch& batch, std::size_t index, const paho::properties& properties,
                       std::vector<Sent>& sent) {
  const std::string topic = topic_of(batch[index]);
  if (topic.empty()) {
    return batch.reject(index, "bad_topic", "the customer id cannot be a level of a topic: it holds /, + or #");
  }
  std::array<char, codec::kReadingJsonCapacity> json;
  const std::size_t size = codec::format_reading(batch[index], json.data());
  if (size == 0) {
    const auto outcome = codec::check_storable(batch[index]);
    return batch.reject(index, codec::text(outcome.reason), outcome.detail);
  }
  try {
    auto message = paho::make_message(topic, json.data(), size, static_cast<int>(config_.qos), config_.retain);
    message->set_properties(properties);
    sent.push_back({index, connection_.client().publish(message)});
  } catch (const paho::exception& error) {
    broken_ = "cannot publish: " + text_of(error);
    batch.retry(index);
  }
}

std::string MqttSink::topic_of(const Reading& reading) const {
  if (!has_id_) return before_id_;
  const std::string_view id = hb::customer_id(reading);
  if (id.find_first_of("/+#") != std::string_view::npos) return {};
  return before_id_ + std::string(id) + after_id_;
}

bool MqttSink::answer(const hb::Batch& batch, const std::vector<Sent>& sent) {
  bool all = true;
  for (const Sent& each : sent) {
    try {
      if (each.token->is_complete() && each.token->try_wait()) continue;
    } catch (const paho::exception& error) {
      if (is_for_good(error)) {
        batch.reject(each.index, "refused_by_broker", text_of(error).c_str());
        continue;
      }
    }
    batch.retry(each.index);
    all = false;
  }
  return all;
}

}  // namespace hb::bridge
