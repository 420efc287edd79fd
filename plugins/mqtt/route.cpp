#include "route.hpp"

#include <hbagent/host.hpp>
#include <hbcommon/wire.hpp>

#include <stdexcept>

namespace hb::bridge {
namespace {

[[noreturn]] void refuse_topic(const std::string& topic, const std::string& why) {
  throw Failed("topic = \"" + topic + "\": " + why);
}

codec::TopicTemplate make_template(const std::string& topic) {
  if (topic.starts_with("$share/")) refuse_topic(topic, "a shared subscription is written as share = \"GROUP\"");
  for (std::size_t open = topic.find('{'); open != std::string::npos; open = topic.find('{', open + 1)) {
    const std::string name = topic.substr(open, topic.find('}', open) - open + 1);
    if (name == "{customer_id}" || name == "{_}") continue;
    refuse_topic(topic, name + " is unknown: {customer_id} is captured, {_} is any level");
  }
  try {
    return codec::TopicTemplate(topic);
  } catch (const std::invalid_argument& error) {
    refuse_topic(topic, error.what());
  }
}

// Nothing for the wire format.
std::optional<codec::Decoder> make_decoder(const Subscription& subscription, const codec::TopicTemplate& topic,
                                           std::size_t max_payload) {
  auto mapping = codec::mapping_for(subscription.decoder, subscription);
  if (!mapping) return std::nullopt;
  // {customer_id} in the topic says it all.
  if (topic.captures_id() && mapping->customer_id == codec::CustomerIdMapping{}) {
    mapping->customer_id.from = codec::CustomerFrom::topic;
  }
  if (mapping->customer_id.from == codec::CustomerFrom::topic && !topic.captures_id()) {
    throw Failed("customer_id = \"topic\", but the topic has no {customer_id}");
  }
  return codec::Decoder(*mapping, {.offered = codec::CustomerFrom::topic, .max_payload = max_payload});
}

// A topic names the customer where the payload does not. They must agree: who may publish to which topic is the
// broker's to guard, but what a payload says is nobody's.
codec::Decoded decode_wire(const codec::Payload& payload, std::size_t max_payload) {
  codec::Decoded decoded;
  decoded.element = payload.bytes;
  decoded.reading.received_us = payload.received_us;
  decoded.outcome = payload.bytes.size() > max_payload
                        ? codec::Outcome{codec::Reason::too_large, "larger than max_payload"}
                        : codec::parse_reading(payload.bytes, decoded.reading, payload.context_id);
  if (!decoded.outcome.ok()) return decoded;
  if (!payload.context_id.empty() && customer_id(decoded.reading) != payload.context_id) {
    decoded.outcome = {codec::Reason::bad_customer_id, "the payload names another customer than the topic"};
  }
  return decoded;
}

std::string filter_of(const Subscription& subscription, const codec::TopicTemplate& topic) {
  if (subscription.share.empty()) return topic.filter();
  if (subscription.share.find_first_of("/+#") != std::string::npos) {
    throw Failed("share = \"" + subscription.share + "\": a group's name has no /, + or #");
  }
  return "$share/" + subscription.share + '/' + topic.filter();
}

}  // namespace

Route::Route(const Subscription& subscription, std::size_t max_payload)
    : template_(make_template(subscription.topic)),
      filter_(filter_of(subscription, template_)),
      qos_(static_cast<int>(subscription.qos)),
      max_payload_(max_payload),
      decoder_(make_decoder(subscription, template_, max_payload)) {}

bool Route::match(std::string_view topic, std::string_view& id) const {
  const auto found = template_.match(topic);
  if (found) id = *found;
  return found.has_value();
}

void Route::decode(const codec::Payload& payload, bool element, std::vector<codec::Decoded>& out) {
  if (!decoder_) {
    out.assign(1, decode_wire(payload, max_payload_));
  } else if (element) {
    decoder_->decode_element(payload, out);
  } else {
    decoder_->decode(payload, out);
  }
}

std::vector<Route> make_routes(const std::vector<Subscription>& subscriptions, std::size_t max_payload) {
  if (subscriptions.empty()) throw Failed("subscription: at least one is needed");
  std::vector<Route> routes;
  const auto path_of = [](std::size_t index) { return "subscription[" + std::to_string(index) + ']'; };
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    try {
      routes.emplace_back(subscriptions[i], max_payload);
    } catch (const Failed& error) {
      throw Failed(path_of(i) + '.' + error.what());
    }
    for (std::size_t before = 0; before < i; ++before) {
      if (routes[before].filter() != routes[i].filter()) continue;
      throw Failed(path_of(i) + ".topic: " + path_of(before) + " has the same filter, " + routes[i].filter());
    }
  }
  return routes;
}

}  // namespace hb::bridge
