// What is stored, value for value, once each, whatever is redelivered and whoever else writes.
#include "support.hpp"
#include "writer.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <thread>

using namespace postgres_test;

TEST_CASE("readings are stored value for value, and the latest of each customer is shown while the stream pauses") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  const std::vector<hb::Reading> readings{
      make_reading("b", kNow, 72, 0, kNow + 7), make_reading("ä/é \"'\\", kNow - 1, 1, 0x8001, kNow),
      make_reading("a", kNow - kSecond, 300, HB_FLAG_HIGH | HB_FLAG_JUMP),
      make_reading(std::string(41, 'u'), kNow - kDay, 61, HB_FLAG_CLOCK), make_reading("b", kNow - 1, 71)};
  for (const auto& verdict : sink.write(readings)) CHECK(verdict.verdict == 0);

  std::vector<std::string> expected;
  for (auto reading : readings) {
    if (reading.flags == 0x8001) reading.flags = 0;  // shown as a negative smallint; compared below
    expected.push_back(as_stored(reading));
  }
  database.sql.run("UPDATE heartbeats SET flags = 0 WHERE flags = -32767");
  std::sort(expected.begin(), expected.end());
  CHECK(database.stored() == expected);

  wait_until("heartrate_data", [&] { return database.shown().size() == 4; });
  CHECK(database.shown()[0] == "a " + std::to_string(kNow - kSecond) + " 300");
  CHECK(database.shown()[1] == "b " + std::to_string(kNow) + " 72");
  CHECK(database.sql.value("SELECT count(*) FROM heartbeat_unflushed") == "0");
  CHECK(database.sql.value("SELECT string_agg(customer_id || flag_names::text, ' ' ORDER BY time) "
                           "FROM heartbeat_alerts") == std::string(41, 'u') + "{clock} a{high,jump}");
}

TEST_CASE("what is redelivered changes nothing and is reported as a duplicate") {
  Database database;
  const auto readings = make_series(5000, 7);
  const auto check_all_duplicates = [&](TestSink& sink) {
    for (const auto& verdict : sink.write(readings)) {
      if (verdict.verdict != HB_VERDICT_DUPLICATE) FAIL("not reported");
    }
    CHECK(database.count() == "5000");
  };
  TestSink first(config_for(database.name));
  first.sink->open();
  first.write(readings);
  check_all_duplicates(first);
  first.sink->close();
  TestSink second(config_for(database.name));  // knows nothing of the first
  second.sink->open();
  check_all_duplicates(second);
}

TEST_CASE("of the same customer and time in one batch the first wins") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  const auto verdicts =
      sink.write({make_reading("a", kNow, 0), make_reading("a", kNow, 70), make_reading("a", kNow, 80)});
  CHECK(verdicts[0].reason == "out_of_range");
  CHECK(verdicts[1].verdict == 0);
  CHECK(verdicts[2].verdict == HB_VERDICT_DUPLICATE);
  CHECK(database.sql.value("SELECT heart_rate FROM heartbeats") == "70");
}

TEST_CASE("a copy of a reading that the database refused is written again, not lost") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  database.sql.run("ALTER TABLE heartbeats ADD CHECK (heart_rate <> 70)");
  const std::vector<hb::Reading> readings{make_reading("a", kNow, 70), make_reading("a", kNow, 80)};
  const auto verdicts = sink.write(readings);
  CHECK(verdicts[0].verdict == HB_VERDICT_REJECT);
  REQUIRE(verdicts[1].verdict == HB_VERDICT_RETRY);
  CHECK(sink.write({readings[1]})[0].verdict == 0);
  CHECK(database.sql.value("SELECT heart_rate FROM heartbeats") == "80");
}

TEST_CASE("a reading that another writer stored above the watermark is met by a redo") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  sink.write({make_reading("a", kNow - 10, 60)});
  database.sql.run("INSERT INTO heartbeats VALUES ('a', to_timestamp(" + std::to_string(kNow / kSecond) + "), 99)");
  const auto verdicts =
      sink.write({make_reading("a", kNow - 1, 61), make_reading("a", kNow, 62), make_reading("a", kNow + 1, 63)});
  CHECK(verdicts[0].verdict == 0);
  CHECK(verdicts[1].verdict == HB_VERDICT_DUPLICATE);
  CHECK(verdicts[2].verdict == 0);
  CHECK(sink.host.gauges().at("redone_batches") == 1);
  CHECK(database.sql.value("SELECT string_agg(heart_rate::text, ' ' ORDER BY time) FROM heartbeats") == "60 61 99 63");
  sink.sink->close();
  CHECK(database.shown() == std::vector<std::string>{"a " + std::to_string(kNow + 1) + " 63"});
}

TEST_CASE("a late reading does not move heartrate_data backwards") {
  Database database;
  TestSink first(config_for(database.name)), second(config_for(database.name));
  first.sink->open();
  second.sink->open();
  first.write({make_reading("a", kNow, 80)});
  first.sink->close();
  second.write({make_reading("a", kNow - kDay, 50)});
  second.sink->close();
  CHECK(database.shown() == std::vector<std::string>{"a " + std::to_string(kNow) + " 80"});
  CHECK(database.count() == "2");
}

TEST_CASE("heartrate_data is made good for a writer that died before it could show its readings") {
  Database database;
  TestSink(config_for(database.name)).sink->open();
  const auto settings = postgres::make_settings(config_for(database.name));
  TestHost host;
  {
    postgres::Writer writer(settings, host.host(), 1000);
    writer.connect();
    const auto readings = make_series(100, 10);
    std::vector<std::uint32_t> rows(readings.size());
    for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
    std::vector<postgres::Verdict> verdicts;
    writer.write(readings, rows, verdicts);
    // While it lives, nobody meddles.
    TestSink other(config_for(database.name));
    other.sink->open();
    CHECK(database.sql.value("SELECT count(*) FROM heartbeat_unflushed") == "1");
    CHECK(database.shown().empty());
  }
  TestSink next(config_for(database.name));
  wait_until("the dead writer's session to end", [&] {
    next.sink->open();
    return database.sql.value("SELECT count(*) FROM heartbeat_unflushed") == "0";
  });
  CHECK(database.sql.value("SELECT count(*) FROM heartrate_data h JOIN (SELECT customer_id, max(time) AS time FROM "
                           "heartbeats GROUP BY 1) m ON m.customer_id = h.customer_id AND "
                           "h.time = m.time AT TIME ZONE 'UTC'") == "10");
}

TEST_CASE("more customers than fit the memory are stored right") {
  Database database;
  TestSink(config_for(database.name)).sink->open();
  const auto settings = postgres::make_settings(config_for(database.name));
  TestHost host;
  postgres::Writer writer(settings, host.host(), 50);
  writer.connect();
  const auto readings = make_series(3000, 300);
  std::size_t duplicates = 0;
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t from = 0; from < readings.size(); from += 250) {
      std::vector<std::uint32_t> rows;
      for (std::uint32_t i = 0; i < 250; ++i) rows.push_back(from + i);
      std::vector<postgres::Verdict> verdicts;
      writer.write(readings, rows, verdicts);
      duplicates += verdicts.size();
      CHECK(writer.known_customers() <= 50);
    }
  }
  CHECK(duplicates == 3000);
  CHECK(database.count() == "3000");
  writer.flush_latest();
  CHECK(database.shown().size() == 300);
}

namespace {

// The obvious store: the first of each key stays.
struct Reference {
  std::map<std::pair<std::string, std::int64_t>, hb::Reading> rows;
  bool add(const hb::Reading& reading) {
    return rows.try_emplace({reading.customer_id, reading.time_us}, reading).second;
  }
  std::vector<std::string> stored() const {
    std::vector<std::string> all;
    for (const auto& row : rows) all.push_back(as_stored(row.second));
    return all;
  }
  std::vector<std::string> shown() const {
    std::map<std::string, std::string> newest;
    for (const auto& [key, reading] : rows) {
      newest[key.first] = key.first + ' ' + std::to_string(key.second) + ' ' + std::to_string(reading.heart_rate);
    }
    std::vector<std::string> all;
    for (const auto& item : newest) all.push_back(item.second);
    return all;
  }
};

std::vector<hb::Reading> random_batch(std::mt19937& random, const std::vector<hb::Reading>& sent, int customers) {
  std::vector<hb::Reading> batch;
  const auto size = random() % 5 == 0 ? 1 + random() % 3 : random() % 400;
  static std::int64_t clock = kNow - 3600 * kSecond;
  for (std::size_t i = 0; i < size; ++i) {
    const auto kind = random() % 20;
    if (kind == 0 && !sent.empty()) {  // redelivered, some with another heart rate
      batch.push_back(sent[random() % sent.size()]);
      if (random() % 2 == 0) batch.back().heart_rate = 1 + static_cast<std::int32_t>(random() % 300);
    } else if (kind == 1 && !batch.empty()) {  // twice in one batch
      batch.push_back(batch[random() % batch.size()]);
      batch.back().heart_rate = 200;
    } else {
      const auto late = kind < 4 ? static_cast<std::int64_t>(random() % 300) * kSecond : 0;
      clock += kSecond / 50;
      batch.push_back(make_reading("customer-" + std::to_string(random() % static_cast<unsigned>(customers)),
                                   clock / kSecond * kSecond - late, 1 + static_cast<std::int32_t>(random() % 300),
                                   static_cast<std::uint16_t>(random() % 32), clock));
    }
  }
  return batch;
}

}  // namespace

TEST_CASE("random batches, writers and connections leave what the obvious store holds") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Database database;
  std::vector<std::unique_ptr<TestSink>> sinks;
  for (const int connections : {1, 3}) {
    auto config = config_for(database.name);
    config.connections = connections;
    config.latest_interval = std::chrono::milliseconds(20);
    sinks.push_back(std::make_unique<TestSink>(config));
    sinks.back()->sink->open();
  }
  Reference reference;
  std::vector<hb::Reading> sent;
  for (int round = 0; round < 60; ++round) {
    auto& sink = *sinks[random() % sinks.size()];
    const auto batch = random_batch(random, sent, seed % 2 == 0 ? 5 : 200);
    const auto verdicts = sink.write(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const bool added = reference.add(batch[i]);
      if (verdicts[i].verdict != (added ? 0 : HB_VERDICT_DUPLICATE)) FAIL("verdict of reading " << i);
    }
    sent.insert(sent.end(), batch.begin(), batch.end());
    if (random() % 15 == 0) {
      sink.sink->close();
      sink.sink->open();
    }
  }
  CHECK(database.stored() == reference.stored());
  for (auto& sink : sinks) sink->sink->close();
  CHECK(database.shown() == reference.shown());
  CHECK(database.sql.value("SELECT count(*) FROM heartbeat_unflushed") == "0");
}

TEST_CASE("two agents that write the same readings at the same time store each once") {
  Database database;
  TestSink(config_for(database.name)).sink->open();
  const auto readings = make_series(20'000, 50);
  std::atomic<std::size_t> stored = 0;
  const auto run = [&](int connections) {
    auto config = config_for(database.name);
    config.connections = connections;
    TestSink sink(config);
    sink.sink->open();
    for (std::size_t from = 0; from < readings.size(); from += 1000) {
      const std::vector<hb::Reading> batch(readings.begin() + static_cast<std::ptrdiff_t>(from),
                                           readings.begin() + static_cast<std::ptrdiff_t>(from + 1000));
      for (const auto& verdict : sink.write(batch, 50)) stored += verdict.verdict == 0 ? 1 : 0;
    }
  };
  {
    const std::jthread one([&] { run(1); }), two([&] { run(2); });
  }
  CHECK(database.count() == "20000");
  // A deadlock's loser may have committed on one of its two connections: then nobody is told "stored" for that part.
  CHECK(stored <= 20'000);
  CHECK(database.shown().size() == 50);
  CHECK(database.sql.value("SELECT count(*) FROM heartrate_data h JOIN (SELECT customer_id, max(time) AS time FROM "
                           "heartbeats GROUP BY 1) m ON m.customer_id = h.customer_id AND "
                           "h.time = m.time AT TIME ZONE 'UTC'") == "50");
}

TEST_CASE("what one connection could not store does not undo, or double, what another stored") {
  Database database;
  auto config = config_for(database.name);
  config.connections = 4;
  config.timeout = std::chrono::milliseconds(500);
  TestSink sink(config);
  sink.sink->open();
  const auto readings = make_series(4000, 40);
  Sql blocker(Server::instance().uri(database.name));
  blocker.run("BEGIN; INSERT INTO heartbeats VALUES ('c3', to_timestamp(" +
              std::to_string(readings[3].time_us / kSecond) + "), 99)");
  const auto [status, text] = outcome_of([&] { sink.write(readings); });
  CHECK(status == HB_RETRY);
  CHECK(text.find("55P03") != std::string::npos);
  const auto after_failure = std::stoi(database.count());
  CHECK(after_failure > 0);
  CHECK(after_failure < 4000);
  blocker.run("ROLLBACK");
  const auto verdicts = sink.write(readings);
  CHECK(std::count_if(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.verdict == 0; }) ==
        4000 - after_failure);
  CHECK(database.count() == "4000");
  sink.sink->close();
  CHECK(database.shown().size() == 40);
}
