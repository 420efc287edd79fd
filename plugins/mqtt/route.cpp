#include "route.hpp"

#include <hbagent/host.hpp>

#include <stdexcept>

namespace hb::bridge {
namespace {

template <class Make>
auto naming_the_subscription(const Subscription& subscription, const Make& make) {
  try {
    return make();
  } catch (const std::exception& error) {
    throw Failed("subscription to \"" + subscription.topic + "\": " + error.what());
  }
}

codec::Mapping with_customer(const Subscription& subscription, const codec::TopicTemplate& topic) {
  codec::Mapping mapping = subscription;
  // {customer_id} in the topic says it all.
  if (topic.captures_id() && mapping.customer_id == codec::CustomerIdMapping{}) {
    mapping.customer_id.from = codec::CustomerFrom::topic;
  }
  if (mapping.customer_id.from == codec::CustomerFrom::topic && !topic.captures_id()) {
    throw Failed("customer_id = \"topic\", but the topic has no {customer_id}");
  }
  return mapping;
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
    : template_(naming_the_subscription(subscription, [&] { return codec::TopicTemplate(subscription.topic); })),
      filter_(naming_the_subscription(subscription, [&] { return filter_of(subscription, template_); })),
      qos_(static_cast<int>(subscription.qos)),
      is_named_around_(subscription.each && subscription.customer_id.pointer &&
                       subscription.customer_id.scope == codec::Scope::root),
      decoder_(naming_the_subscription(subscription, [&] {
        return codec::Decoder(with_customer(subscription, template_),
                              {.offered = codec::CustomerFrom::topic, .max_payload = max_payload});
      })) {}

bool Route::match(std::string_view topic, std::string_view& id) const {
  const auto found = template_.match(topic);
  if (found) id = *found;
  return found.has_value();
}

void Route::decode(const codec::Payload& payload, bool element, std::vector<codec::Decoded>& out) {
  if (element) {
    decoder_.decode_element(payload, out);
  } else {
    decoder_.decode(payload, out);
  }
}

}  // namespace hb::bridge
