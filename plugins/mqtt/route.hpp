// One subscription: which topics are its own, and how their payloads become readings.
#pragma once

#include <hbcommon/decoder.hpp>
#include <hbcommon/mapping.hpp>
#include <hbcommon/payload_format.hpp>
#include <hbcommon/topic.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace hb::bridge {

using codec::PayloadFormat;

struct Subscription : codec::Mapping {
  std::string topic;
  std::int64_t qos = 1;
  std::string share;
  PayloadFormat decoder = PayloadFormat::wire;

  static constexpr auto options = std::tuple_cat(
      hb::options(
          hb::option<Subscription, std::string>(
              "topic", &Subscription::topic,
              "Topic template. {customer_id} is captured, {_} matches one level; every other level is itself.")
              .required()
              .example("\"wearables/{customer_id}/hr\""),
          hb::option<Subscription, std::int64_t>("qos", &Subscription::qos,
                                                 "0: may be lost; 1: at least once; 2: exactly once to this agent.")
              .range(0, 2),
          hb::option<Subscription, std::string>("share", &Subscription::share,
                                                "Group that shares the messages: each goes to one of its members; "
                                                "none: every subscriber gets all.")
              .example("\"hbagent\""),
          hb::option<Subscription, PayloadFormat>("decoder", &Subscription::decoder,
                                                  "How payloads are written: hbagent's own JSON object, which needs no "
                                                  "more, or what the options below map.")
              .choices("wire", "json", "csv", "scalar", "gatt_hrm", "senml")),
      codec::mapping_options_without_decoder<Subscription>());
};

// One thread at a time.
class Route {
 public:
  // Throws hb::Failed, which begins with the key that is wrong.
  Route(const Subscription& subscription, std::size_t max_payload);

  // The filter to subscribe to, with its share.
  const std::string& filter() const { return filter_; }
  int qos() const { return qos_; }
  // Whether the topic is this subscription's; then `id` is the customer that it names, if any.
  bool match(std::string_view topic, std::string_view& id) const;
  // `element`: the payload is one element alone, as decode handed it out; `id` is its customer.
  void decode(const codec::Payload& payload, bool element, std::vector<codec::Decoded>& out);
  // Whether a payload holds several readings, each with a place of its own.
  bool has_elements() const { return decoder_ && decoder_->has_elements(); }
  // Whether the customer of an element is named around it, so that the element alone does not say it.
  bool is_named_around() const { return decoder_ && decoder_->is_named_around(); }

 private:
  codec::TopicTemplate template_;
  std::string filter_;
  int qos_;
  std::size_t max_payload_;
  std::optional<codec::Decoder> decoder_;  // none: the wire format
};

// Throws hb::Failed, which begins with the path of the key that is wrong: "subscription[1].topic: ...".
std::vector<Route> make_routes(const std::vector<Subscription>& subscriptions, std::size_t max_payload);

}  // namespace hb::bridge
