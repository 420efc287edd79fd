// The source while its broker goes away.
#include "source_support.hpp"
#include "support/catch.hpp"
#include "wait_until.hpp"

using namespace std::chrono_literals;
using hb::testing::TestHost;

TEST_CASE("a broker that goes away and comes back is reported, and nothing is lost") {
  KafkaBroker broker;
  PlainClient kafka(broker.address());
  const std::string topic = kafka.new_topic(3);
  kafka.produce(topic, numbered_records(1000));
  TestHost host;
  host.ack_at_once(true);
  RunningSource source(host, config_for(broker, topic));
  wait_until("the first ones", 90s, [&] { return host.emitted() >= 1000; });
  broker.stop();
  wait_until("the outage is noticed", 90s, [&] { return host.health() && !host.health()->first; });
  broker.start();
  wait_until("it is back", 90s, [&] { return host.health()->first; });
  kafka.produce(topic, numbered_records(1000, 1000));
  wait_until("the others", 120s, [&] { return host.emitted() >= 2000; });
  wait_until("the commits", 120s, [&] { return sum(kafka.committed("group-of-" + topic, topic, 3)) == 2000; });
  source.stop();
  const auto all = numbers(host.readings());
  CHECK(std::set<std::int64_t>(all.begin(), all.end()).size() == 2000);
}

TEST_CASE("a source closes within its time although the broker is gone for good") {
  KafkaBroker broker;
  PlainClient kafka(broker.address());
  const std::string topic = kafka.new_topic(3);
  kafka.produce(topic, numbered_records(100));
  TestHost host;
  host.ack_at_once(true);
  RunningSource source(host, config_for(broker, topic));
  wait_until("the first ones", 120s, [&] { return host.emitted() >= 100; });
  broker.stop();
  wait_until("the outage is noticed", 120s, [&] { return host.health() && !host.health()->first; });
  const auto begin = std::chrono::steady_clock::now();
  source.stop();
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
}

TEST_CASE("a source closes within its time although the broker died with commits under way") {
  KafkaBroker broker;
  PlainClient kafka(broker.address());
  const std::string topic = kafka.new_topic(3);
  kafka.produce(topic, numbered_records(1000));
  const bool frozen = GENERATE(false, true);
  INFO((frozen ? "frozen" : "killed"));
  // Some offsets are on their way when it happens, and others become safe only then.
  TestHost host;
  std::uint64_t first = 0;
  host.after_emit = [&](TestHost& self) {
    if (first == 0) self.ack(first = self.emits().front().first);
  };
  RunningSource source(host, config_for(broker, topic));
  wait_until("all readings", 120s, [&] { return host.emitted() >= 1000; });
  if (frozen) {
    broker.pause();
  } else {
    broker.crash();
  }
  host.ack(host.emits().back().first);
  const auto four_seconds_later = std::chrono::steady_clock::now() + 4s;
  wait_until("four seconds", 5s, [&] { return std::chrono::steady_clock::now() > four_seconds_later; });
  const auto begin = std::chrono::steady_clock::now();
  source.stop();
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(std::chrono::duration<double>(took).count() < 5.0);
}
