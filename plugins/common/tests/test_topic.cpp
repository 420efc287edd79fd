#include <hbcommon/topic.hpp>

#include <stdexcept>
#include <string>

#include "support/catch.hpp"

using hb::codec::TopicTemplate;

TEST_CASE("a template matches level by level and captures the customer") {
  const TopicTemplate plain("wearables/{customer_id}/hr");
  CHECK(plain.match("wearables/cust-1/hr") == "cust-1");
  CHECK(plain.match("wearables/J\xc3\xbcrgen/hr") == "J\xc3\xbcrgen");
  using namespace std::string_view_literals;
  for (const std::string_view topic :
       {"wearables/cust-1/battery"sv, "wearables/cust-1/hr/"sv, "wearables/cust-1/x/hr"sv, "wearables//hr"sv,
        "/wearables/cust-1/hr"sv, "wearables/+/hr"sv, "wearables/#"sv, "wearables/cust-1"sv, ""sv,
        "wearables/a\0b/hr"sv, "$SYS/broker/uptime"sv}) {
    INFO(topic);
    CHECK(!plain.match(topic));
  }
  CHECK(plain.filter() == "wearables/+/hr");
}

TEST_CASE("other names match one level and capture nothing") {
  const TopicTemplate gateway("home/{gateway}/BTtoMQTT/{customer_id}");
  CHECK(gateway.match("home/OMG/BTtoMQTT/A09E") == "A09E");
  CHECK(gateway.filter() == "home/+/BTtoMQTT/+");
  CHECK(TopicTemplate("a/{_}").match("a/b") == "");
  CHECK(!TopicTemplate("a/{_}").captures_id());
  CHECK(TopicTemplate("/ble/{customer_id}").match("/ble/x") == "x");
  CHECK(!TopicTemplate("{customer_id}/x").match("$SYS/x"));
  CHECK(TopicTemplate("$SYS/{_}").match("$SYS/x") == "");
  CHECK(TopicTemplate("ward/ws").match("ward/ws") == "");
}

TEST_CASE("a template that means nothing is refused") {
  for (const char* text : {"", "a/+", "a/#", "a/x{customer_id}", "a/{b}c", "{customer_id}/{customer_id}", "a/{{b}}"}) {
    INFO(text);
    CHECK_THROWS_AS(TopicTemplate(text), std::invalid_argument);
  }
}
