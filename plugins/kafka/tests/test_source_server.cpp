// The source against a real broker.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "source_support.hpp"
#include "support/catch.hpp"
#include "wait_until.hpp"

using namespace std::chrono_literals;
using hb::kafka::KafkaSource;
using hb::testing::make_reading;
using hb::testing::TestHost;

TEST_CASE("readings arrive exactly, and what was acknowledged is committed") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(4);
  kafka.produce(topic, numbered_records(20'000));
  TestHost host;
  host.ack_at_once(true);
  host.set_now_us(42);
  RunningSource source(host, config_for(KafkaBroker::shared(), topic));
  wait_until("all readings", 90s, [&] { return host.emitted() >= 20'000; });
  wait_until("the commits", 90s, [&] { return sum(kafka.committed("group-of-" + topic, topic, 4)) == 20'000; });
  wait_until("the lag is shown", 90s, [&] {
    const auto gauges = host.gauges();
    return gauges.contains("lag_readings") && gauges.at("lag_readings") == 0 && gauges.at("assigned_partitions") == 4;
  });
  source.stop();
  const auto readings = host.readings();
  CHECK((numbers(readings) == range(20'000)));
  std::set<std::string> expected;
  for (const Record& record : numbered_records(20'000)) expected.insert(*record.value);
  std::int64_t received_us = 42;  // the clock stands still, and yet each reading has a time of its own
  for (const auto& reading : readings) {
    if (!expected.contains(json_of(reading)) || reading.received_us != received_us++) FAIL(json_of(reading));
  }
}

TEST_CASE("only acknowledged readings are committed, and a restart reads exactly the others") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  kafka.produce(topic, numbered_records(10'000));
  std::int64_t acknowledged = 0;
  {
    TestHost host;
    RunningSource source(host, config_for(KafkaBroker::shared(), topic));
    wait_until("all readings", 90s, [&] { return host.emitted() >= 10'000; });
    const auto emits = host.emits();
    REQUIRE(emits.size() >= 2);
    CHECK(sum(kafka.committed("group-of-" + topic, topic, 1)) == 0);
    // All but the last batch.
    acknowledged = 10'000 - emits.back().second;
    host.ack(emits[emits.size() - 2].first);
    wait_until("the commit", 90s, [&] { return sum(kafka.committed("group-of-" + topic, topic, 1)) == acknowledged; });
    source.stop();
  }
  CHECK(sum(kafka.committed("group-of-" + topic, topic, 1)) == acknowledged);
  TestHost host;
  RunningSource source(host, config_for(KafkaBroker::shared(), topic));
  wait_until("the others", 90s, [&] { return host.emitted() >= static_cast<std::uint64_t>(10'000 - acknowledged); });
  kafka.produce(topic, numbered_records(1, 10'000));
  wait_until("a new one", 90s, [&] { return host.emitted() > static_cast<std::uint64_t>(10'000 - acknowledged); });
  source.stop();
  auto expected = range(10'001);
  expected.erase(expected.begin(), expected.find(acknowledged));
  CHECK((numbers(host.readings()) == expected));
}

TEST_CASE("what is acknowledged between the end of the run and close is still committed") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(2);
  kafka.produce(topic, numbered_records(1000));
  TestHost host;
  host.after_emit = [](TestHost& self) {
    if (self.emitted() == 1000) self.stop();
  };
  const auto config = config_for(KafkaBroker::shared(), topic);
  KafkaSource source(config, host.host());
  source.open();
  source.run();
  CHECK(host.emitted() == 1000);
  host.ack(host.emits().back().first);
  source.close();
  CHECK(sum(kafka.committed(config.group_id, topic, 2)) == 1000);
}

TEST_CASE("a source that is at the end stays a member and commits until all of it is safe") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(2);
  kafka.produce(topic, numbered_records(10'000));
  auto config = config_for(KafkaBroker::shared(), topic);
  config.exit_at_end = true;
  config.rdkafka = {{"max.poll.interval.ms", "6000"}, {"session.timeout.ms", "6000"}};
  TestHost host;
  RunningSource source(host, config);
  wait_until("all readings", 90s, [&] { return host.emitted() >= 10'000; });
  // What comes later is for another run.
  kafka.produce(topic, numbered_records(100, 10'000));
  const auto longer_than_the_poll_interval = std::chrono::steady_clock::now() + 8s;
  wait_until("eight seconds", 9s, [&] { return std::chrono::steady_clock::now() > longer_than_the_poll_interval; });
  const auto committed = [&] { return sum(kafka.committed(config.group_id, topic, 2)); };
  CHECK(committed() == 0);
  const auto emits = host.emits();
  REQUIRE(emits.size() >= 2);
  host.ack(emits.front().first);
  wait_until("a commit", 30s, [&] { return committed() == emits.front().second; });
  CHECK_FALSE(source.is_done());
  host.ack(emits.back().first);
  source.end();
  CHECK(committed() == static_cast<std::int64_t>(host.emitted()));
  for (const auto& [level, text] : host.logs()) {
    INFO(text);
    CHECK(level < HB_LOG_WARNING);
  }
}

TEST_CASE("poison, tombstones and foreign headers stop nothing") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  auto records = numbered_records(10);
  records[2].value = "not json \x01";
  records[3].value.reset();
  records[4].headers = {{"traceparent", "00-af"}, {"x", std::string("\0\1", 2)}};
  records[5].value = R"({"time":"2023-11-14T22:13:20Z","heart_rate":61})";  // names no customer; has a key
  records[6].key.clear();
  records[7].value =
      R"({"customer_id":")" + std::string(42, 'x') + R"(","time":"2023-11-14T22:13:20Z","heart_rate":61})";
  records[8].value = R"({"customer_id":"cust_8","time":"2023-11-14T22:13:20Z","heart_rate":0})";
  kafka.produce(topic, records);
  const bool by_key = GENERATE(false, true);
  TestHost host;
  host.ack_at_once(true);
  auto config = config_for(KafkaBroker::shared(), topic);
  config.exit_at_end = true;
  config.key_as_customer_id = by_key;
  RunningSource source(host, config);
  source.end();

  CHECK(host.discarded() == std::map<std::string, std::uint64_t>{{"tombstone", 1}, {"zero_bpm", 1}});
  CHECK(sum(kafka.committed(config.group_id, topic, 1)) == 10);
  const auto letters = host.letters();
  REQUIRE(letters.size() == (by_key ? 2 : 3));
  CHECK(letters.front().reason == "bad_json");
  CHECK(letters.front().origin == topic + "[0]@2");
  CHECK(letters.front().payload == "not json \x01");
  CHECK(letters.back().reason == "bad_customer_id");
  CHECK(letters.back().origin == topic + "[0]@7");
  if (!by_key) CHECK(letters[1].reason == "missing_customer_id");
  CHECK(host.readings().size() == (by_key ? 6 : 5));
  if (by_key) CHECK(hb::customer_id(host.readings()[3]) == "cust_5");
}

TEST_CASE("records of another format are decoded as mapped; a bad element is a dead letter of its own") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  std::vector<Record> records = {
      {"anna", R"([{"t":1700000000,"hr":60},{"t":1700000001,"hr":"x"},{"t":1700000002,"hr":62}])"},
      {"bert", "not json"},
      {"cleo", R"([{"t":1700000003,"hr":0},{"hr":64}])"}};
  // As many readings as many emits hold, in few records.
  std::string many = "[";
  for (int i = 0; i < 1000; ++i) {
    many += (i == 0 ? "{\"t\":" : ",{\"t\":") + std::to_string(1'700'001'000 + i) + ",\"hr\":80}";
  }
  for (int i = 0; i < 40; ++i) records.push_back({"dora", many + ']'});
  kafka.produce(topic, records);
  TestHost host;
  host.ack_at_once(true);
  auto config = config_for(KafkaBroker::shared(), topic);
  config.exit_at_end = true;
  config.decoder = hb::codec::PayloadFormat::json;
  config.customer_id.from = hb::codec::CustomerFrom::key;
  config.time.pointer = "/t";
  config.time.format = hb::codec::TimeFormat::epoch_s;
  config.heart_rate.pointer = "/hr";
  config.each = "";
  RunningSource source(host, config);
  source.end();

  CHECK(sum(kafka.committed(config.group_id, topic, 1)) == 43);
  const auto readings = host.readings();
  REQUIRE(readings.size() == 40'002);
  CHECK(hb::customer_id(readings[1]) == "anna");
  CHECK(readings[1].time_us == 1'700'000'002'000'000);
  CHECK(readings[1].heart_rate == 62);
  std::set<std::int64_t> received;
  for (const hb::Reading& reading : readings) received.insert(reading.received_us);
  CHECK(received.size() == readings.size());
  CHECK(host.discarded() == std::map<std::string, std::uint64_t>{{"zero_bpm", 1}});
  const auto letters = host.letters();
  REQUIRE(letters.size() == 3);
  CHECK(letters[0].reason == "not_a_number");
  CHECK(letters[0].origin == topic + "[0]@0#2");
  CHECK(letters[0].payload == R"({"t":1700000001,"hr":"x"})");
  CHECK(letters[0].key == "anna");
  CHECK(letters[1].reason == "bad_json");
  CHECK(letters[1].origin == topic + "[0]@1");
  CHECK(letters[1].payload == "not json");
  CHECK(letters[1].key == "bert");
  CHECK(letters[2].reason == "missing_time");
  CHECK(letters[2].origin == topic + "[0]@2#2");
}

TEST_CASE("a dead letter that cannot be kept holds the offset back") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  auto records = numbered_records(10);
  records[4].value = "poison";
  kafka.produce(topic, records);
  auto config = config_for(KafkaBroker::shared(), topic);
  config.exit_at_end = true;
  {
    TestHost host;
    host.ack_at_once(true);
    host.refuse_dead_letters = true;
    RunningSource source(host, config);
    CHECK_THROWS_AS(source.end(), hb::Retry);
    CHECK(sum(kafka.committed(config.group_id, topic, 1)) <= 4);
  }
  TestHost host;
  host.ack_at_once(true);
  RunningSource source(host, config);
  source.end();
  CHECK(host.letters().size() == 1);
  CHECK(sum(kafka.committed(config.group_id, topic, 1)) == 10);
}

TEST_CASE("two members share the partitions, and the one that stays takes over without loss or doubles") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(6);
  TestHost first_host;
  TestHost second_host;
  first_host.ack_at_once(true);
  second_host.ack_at_once(true);
  const auto assigned = [](const TestHost& host) {
    const auto gauges = host.gauges();
    return gauges.contains("assigned_partitions") ? gauges.at("assigned_partitions") : 0;
  };
  RunningSource first(first_host, config_for(KafkaBroker::shared(), topic));
  wait_until("the first has all", 90s, [&] { return assigned(first_host) == 6; });
  kafka.produce(topic, numbered_records(5000));
  RunningSource second(second_host, config_for(KafkaBroker::shared(), topic));
  wait_until("they share", 90s, [&] { return assigned(first_host) == 3 && assigned(second_host) == 3; });
  kafka.produce(topic, numbered_records(5000, 5000));
  const auto together = [&] { return first_host.emitted() + second_host.emitted(); };
  wait_until("all arrive", 90s, [&] { return together() >= 10'000; });
  CHECK(second_host.emitted() > 0);
  first.stop();
  wait_until("the second has all", 90s, [&] { return assigned(second_host) == 6; });
  kafka.produce(topic, numbered_records(5000, 10'000));
  wait_until("all arrive", 90s, [&] { return together() >= 15'000; });
  second.stop();

  auto readings = first_host.readings();
  const auto more = second_host.readings();
  readings.insert(readings.end(), more.begin(), more.end());
  CHECK((numbers(readings) == range(15'000)));
  CHECK(sum(kafka.committed("group-of-" + topic, topic, 6)) == 15'000);
}

TEST_CASE("a member whose agent takes nothing stays in the group and gives partitions up at once") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(4);
  kafka.produce(topic, numbered_records(50'000));
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
  TestHost blocked;
  blocked.after_emit = [&](TestHost&) {
    std::unique_lock lock(mutex);
    opened.wait(lock, [&] { return open; });
  };
  auto config = config_for(KafkaBroker::shared(), topic);
  config.rdkafka = {{"max.poll.interval.ms", "6000"}, {"session.timeout.ms", "6000"}};
  RunningSource first(blocked, config);
  wait_until("it is blocked", 90s, [&] { return blocked.emitted() > 0; });
  const auto longer_than_the_poll_interval = std::chrono::steady_clock::now() + 8s;
  wait_until("eight seconds", 9s, [&] { return std::chrono::steady_clock::now() > longer_than_the_poll_interval; });
  CHECK(blocked.gauges().at("assigned_partitions") == 4);

  TestHost host;
  host.ack_at_once(true);
  RunningSource second(host, config);
  wait_until("the blocked one gives up two partitions", 15s, [&] {
    return blocked.gauges().at("assigned_partitions") == 2 && host.gauges().contains("assigned_partitions") &&
           host.gauges().at("assigned_partitions") == 2;
  });
  {
    const std::lock_guard lock(mutex);
    open = true;
  }
  opened.notify_all();
  blocked.ack_at_once(true);
  const auto seen = [&] {
    auto all = numbers(blocked.readings());
    all.merge(numbers(host.readings()));
    return std::set<std::int64_t>(all.begin(), all.end());
  };
  wait_until("nothing is missing", 120s, [&] { return seen().size() == 50'000; });
  for (const auto& [level, text] : blocked.logs()) CHECK(level < HB_LOG_WARNING);
  first.stop();
  second.stop();
}

TEST_CASE("a group that begins at the latest record, a regular expression, a topic that is not there") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  kafka.produce(topic, numbered_records(100));
  TestHost host;
  host.ack_at_once(true);
  auto config = config_for(KafkaBroker::shared(), "^" + topic + "$");
  config.topics.push_back("no-such-topic");
  config.start = KafkaSource::Start::latest;
  RunningSource source(host, config);
  wait_until("an assignment", 90s, [&] {
    return host.gauges().contains("assigned_partitions") && host.gauges().at("assigned_partitions") == 1;
  });
  wait_until("a new record is read", 120s, [&] {
    kafka.produce(topic, numbered_records(1, 100));
    return host.emitted() > 0;
  });
  source.stop();
  for (const auto number : numbers(host.readings())) CHECK(number == 100);
}

TEST_CASE("a topic that is made after the source has begun is read within a minute") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = "made-later";
  TestHost host;
  host.ack_at_once(true);
  RunningSource source(host, config_for(KafkaBroker::shared(), topic));
  wait_until("the missing topic is noticed", 90s, [&] { return host.health() && !host.health()->first; });
  CHECK_THAT(host.health()->second, contains_text(topic));
  kafka.make_topic(topic, 2);
  kafka.produce(topic, numbered_records(100));
  wait_until("all readings", 60s, [&] { return host.emitted() >= 100; });  // librdkafka's own pace: 5 minutes
  source.stop();
  CHECK((numbers(host.readings()) == range(100)));
}

TEST_CASE("a fixed member name that is used twice is a failure, not a quarrel") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  kafka.produce(topic, numbered_records(1));
  auto config = config_for(KafkaBroker::shared(), topic);
  config.group_instance_id = "the-only-one";
  TestHost host;
  RunningSource first(host, config);
  wait_until("the first reads", 90s, [&] { return host.emitted() > 0; });
  TestHost other;
  RunningSource second(other, config);
  CHECK_THROWS_AS(first.end(), hb::Error);
  second.stop();
}
