#include "route.hpp"

#include <hbagent/catch.hpp>
#include <hbagent/host.hpp>

#include <string>

namespace hb::bridge {
namespace {

Subscription plain(const std::string& topic) {
  Subscription subscription;
  subscription.topic = topic;
  subscription.decoder = PayloadFormat::json;
  subscription.heart_rate.pointer = "/heart_rate";
  subscription.time.pointer = "/time";
  return subscription;
}

std::string why_not(const Subscription& subscription) {
  try {
    const Route route(subscription, 1024);
  } catch (const Failed& error) {
    return error.what();
  }
  return {};
}

TEST_CASE("a topic that captures the customer needs no customer_id", "[route]") {
  Route route(plain("wearables/{customer_id}/hr"), 1024);
  std::string_view id;
  REQUIRE(route.match("wearables/c-7/hr", id));
  std::vector<codec::Decoded> decoded;
  route.decode({.bytes = R"({"time":"2026-01-15T12:00:00Z","heart_rate":72})", .context_id = id}, false, decoded);
  REQUIRE(decoded.size() == 1);
  CHECK(decoded[0].outcome.ok());
  CHECK(customer_id(decoded[0].reading) == "c-7");
  CHECK_FALSE(route.match("wearables/c-7/battery", id));
}

TEST_CASE("a customer that the payload names is not replaced by the topic's", "[route]") {
  Subscription subscription;
  subscription.topic = "gateways/{customer_id}/senml";
  subscription.decoder = PayloadFormat::senml;
  subscription.customer_id.senml = codec::SenmlName::bn;
  subscription.time.senml = true;
  subscription.heart_rate.name = "hr";
  Route route(subscription, 1024);
  std::string_view id;
  REQUIRE(route.match("gateways/attic/senml", id));
  CHECK(route.has_elements());
  std::vector<codec::Decoded> decoded;
  route.decode({.bytes = R"([{"bn":"c-7","bt":1768478400},{"n":"hr","v":72},{"n":"hr","v":"x"}])", .context_id = id},
               false, decoded);
  REQUIRE(decoded.size() == 2);
  CHECK(customer_id(decoded[0].reading) == "c-7");
  CHECK(decoded[1].element == R"([{"bn":"c-7","bt":1768478400,"n":"hr","v":"x"}])");
}

TEST_CASE("a customer that the payload names around its elements is to be kept with each", "[route]") {
  Subscription subscription = plain("gateways/attic");
  subscription.each = "/readings";
  subscription.customer_id.pointer = "/id";
  CHECK_FALSE(Route(subscription, 1024).is_named_around());
  subscription.customer_id.scope = codec::Scope::root;
  CHECK(Route(subscription, 1024).is_named_around());
  subscription.each.reset();
  CHECK_FALSE(Route(subscription, 1024).is_named_around());
  CHECK_FALSE(Route(plain("wearables/{customer_id}/hr"), 1024).is_named_around());
}

TEST_CASE("the wire format needs no mapping, and its customer is the topic's", "[route]") {
  Subscription subscription;
  subscription.topic = "heartbeats/{customer_id}";
  Route route(subscription, 128);
  std::vector<codec::Decoded> decoded;
  const auto outcome = [&](std::string_view bytes, std::string_view id) {
    route.decode({.bytes = bytes, .context_id = id}, false, decoded);
    REQUIRE(decoded.size() == 1);
    return decoded[0].outcome.reason;
  };
  CHECK(outcome(R"({"customer_id":"c-7","time":"2026-01-15T12:00:00Z","heart_rate":72,"flags":["high"]})", "c-7") ==
        codec::Reason::ok);
  CHECK(decoded[0].reading.flags == HB_FLAG_HIGH);
  CHECK(outcome(R"({"time":"2026-01-15T12:00:00Z","heart_rate":72})", "c-8") == codec::Reason::ok);
  CHECK(customer_id(decoded[0].reading) == "c-8");
  CHECK(outcome(R"({"customer_id":"c-7","time":"2026-01-15T12:00:00Z","heart_rate":72})", "c-8") ==
        codec::Reason::bad_customer_id);
  CHECK(outcome(R"({"time":"2026-01-15T12:00:00Z","heart_rate":0})", "c-8") == codec::Reason::zero_bpm);
  CHECK(outcome(std::string(129, ' '), "c-8") == codec::Reason::too_large);
  subscription.time.pointer = "/time";
  CHECK(why_not(subscription).find("\"wire\" has no mapping") != std::string::npos);
}

TEST_CASE("a share becomes a shared subscription", "[route]") {
  Subscription subscription = plain("wearables/{customer_id}/hr");
  CHECK(Route(subscription, 1024).filter() == "wearables/+/hr");
  subscription.share = "bridge";
  CHECK(Route(subscription, 1024).filter() == "$share/bridge/wearables/+/hr");
  subscription.share = "a/b";
  CHECK(why_not(subscription).find("share = \"a/b\"") != std::string::npos);
}

TEST_CASE("a wrong subscription begins with the key that is wrong", "[route]") {
  CHECK(why_not(plain("wearables/+/hr")).starts_with("topic = \"wearables/+/hr\": a topic template has no wildcard"));
  CHECK(why_not(plain("$share/g/{customer_id}")).find("share = \"GROUP\"") != std::string::npos);
  CHECK(why_not(plain("a/{customer}/hr")).find("{customer} is unknown") != std::string::npos);
  CHECK(why_not(plain("wearables/hr")).starts_with("customer_id: say where the id is"));
  Subscription topic = plain("wearables/hr");
  topic.customer_id.from = codec::CustomerFrom::topic;
  CHECK(why_not(topic).starts_with("customer_id = \"topic\", but the topic has no {customer_id}"));
  topic.customer_id = {};
  topic.customer_id.constant = "";
  CHECK(why_not(topic).starts_with("customer_id.const: is no customer id"));
}

TEST_CASE("of several subscriptions the wrong one is named by its place", "[route]") {
  const auto why = [](const std::vector<Subscription>& subscriptions) {
    try {
      static_cast<void>(make_routes(subscriptions, 1024));
    } catch (const Failed& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const Subscription sound = plain("wearables/{customer_id}/hr");
  CHECK(make_routes({sound, plain("straps/{customer_id}")}, 1024).size() == 2);
  CHECK(why({}) == "subscription: at least one is needed");
  CHECK(why({sound, plain("straps/hr")}).starts_with("subscription[1].customer_id: say where"));
  CHECK(why({sound, plain("straps/{customer_id}"), sound}) ==
        "subscription[2].topic: subscription[0] has the same filter, wearables/+/hr");
}

}  // namespace
}  // namespace hb::bridge
