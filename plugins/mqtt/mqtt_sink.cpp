#include "mqtt_sink.hpp"

#include <hbcommon/wire.hpp>

#include <array>
#include <string_view>

#include "refusal.hpp"

namespace hb::bridge {
namespace {

using Clock = std::chrono::steady_clock;
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
  Connection::Session session;
  session.max_in_flight = static_cast<int>(config_.max_in_flight);
  connection_.open(session, [](const paho::message&) {});
  connection_.announce();
}

void MqttSink::close() {
  connection_.close();
}

void MqttSink::write(hb::Batch batch) {
  if (const std::string why = connection_.lost(); !why.empty()) throw Reopen(why);
  const std::vector<Sent> sent = publish(batch);
  const auto deadline = Clock::now() + config_.write_timeout;
  auto stop_deadline = Clock::time_point::max();
  for (const Sent& each : sent) {
    while (!each.token->is_complete() && connection_.lost().empty()) {
      if (host_.stopping() && stop_deadline == Clock::time_point::max()) stop_deadline = Clock::now() + kStopGrace;
      if (Clock::now() >= std::min(deadline, stop_deadline)) {
        throw Reopen("the broker has not confirmed all messages in " +
                     std::string(Clock::now() >= deadline ? "write_timeout" : "the time left to stop"));
      }
      try {
        static_cast<void>(each.token->wait_for(kSlice));
      } catch (const paho::exception&) {  // answered, and looked at below
      }
    }
  }
  if (!answer(batch, sent)) {
    const std::string why = connection_.lost();
    host_.warn(why.empty() ? "the broker refused some messages; they go again" : why);
  }
}

std::vector<MqttSink::Sent> MqttSink::publish(const hb::Batch& batch) {
  std::vector<Sent> sent;
  sent.reserve(batch.size());
  std::array<char, codec::kReadingJsonCapacity> json;
  paho::properties properties;
  if (config_.message_expiry > 0s) {
    properties.add({paho::property::MESSAGE_EXPIRY_INTERVAL, seconds_value(config_.message_expiry)});
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::string topic = topic_of(batch[i]);
    if (topic.empty()) {
      batch.reject(i, "bad_topic", "the customer id cannot be a level of a topic: it holds /, + or #");
      continue;
    }
    const std::size_t size = codec::format_reading(batch[i], json.data());
    if (size == 0) {
      const auto outcome = codec::check_storable(batch[i]);
      batch.reject(i, codec::text(outcome.reason), outcome.detail);
      continue;
    }
    try {
      auto message = paho::make_message(topic, json.data(), size, static_cast<int>(config_.qos), config_.retain);
      message->set_properties(properties);
      sent.push_back({i, connection_.client().publish(message)});
    } catch (const paho::exception& error) {
      const std::string why = connection_.lost();
      throw Reopen(why.empty() ? "cannot publish: " + text_of(error) : why);
    }
  }
  return sent;
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
