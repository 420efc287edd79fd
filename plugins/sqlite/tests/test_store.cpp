// What is stored, value for value, once each, whatever is redelivered and whoever else writes.
#include "support.hpp"

#include <algorithm>
#include <map>
#include <random>

using namespace sqlite_test;

TEST_CASE("readings are stored value for value, and the latest of each customer is shown while the stream pauses") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  const std::vector<hb::Reading> readings{
      make_reading("b", kNow, 72, 0, kNow + 7), make_reading("ä/é \"'\\", kNow - 1, 1, 0x8001, kNow),
      make_reading("a", kNow - kSecond, 300, HB_FLAG_HIGH | HB_FLAG_JUMP),
      make_reading(std::string(41, 'u'), kNow - kDay, 61, HB_FLAG_CLOCK), make_reading("b", kNow - 1, 71)};
  for (const auto& verdict : sink.write(readings)) CHECK(verdict.verdict == 0);

  std::vector<std::string> expected;
  for (const auto& reading : readings) expected.push_back(as_stored(reading));
  std::sort(expected.begin(), expected.end());
  CHECK(file.stored() == expected);
  wait_until("heartrate_data", [&] { return file.shown().size() == 4; });
  CHECK(file.shown()[0] == "a " + std::to_string(kNow - kSecond) + " 300");
  CHECK(file.shown()[1] == "b " + std::to_string(kNow) + " 72");
  CHECK(file.value("SELECT count(*) FROM heartbeat_unflushed") == "0");
}

TEST_CASE("the views show times and flags as text") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  sink.write(
      {make_reading("a", kNow + 42, 200, HB_FLAG_HIGH | HB_FLAG_JUMP, kNow + 1'500'000), make_reading("b", kNow, 60)});
  sink.sink->close();
  CHECK(file.rows("SELECT concat FROM (SELECT time || ' ' || received_at || ' ' || flag_names || ' ' || time_us AS "
                  "concat FROM heartbeat_alerts)") ==
        std::vector<std::string>{"2026-11-20T12:00:00.000042Z 2026-11-20T12:00:01.500000Z high jump " +
                                 std::to_string(kNow + 42)});
  CHECK(file.rows("SELECT customer_id || ' ' || time || ' ' || flag_names FROM readings ORDER BY time_us") ==
        std::vector<std::string>{"b 2026-11-20T12:00:00.000000Z ", "a 2026-11-20T12:00:00.000042Z high jump"});
  CHECK(file.value("SELECT heart_rate || ' ' || time FROM latest WHERE customer_id = 'b'") ==
        "60 2026-11-20T12:00:00.000000Z");
}

TEST_CASE("the documented queries use the keys") {
  File file;
  auto config = file.config();
  const auto plan = [&](const std::string& sql) {
    sqlite::Database database(file.path, File::patience);
    sqlite::Statement statement(database, ("EXPLAIN QUERY PLAN " + sql).c_str());
    std::string text;
    while (statement.next()) text += statement.text(3) + '\n';
    return text;
  };
  TestSink(config).sink->open();
  CHECK(plan("SELECT * FROM readings WHERE time_us > 5") == "SEARCH heartbeats USING PRIMARY KEY (time>?)\n");
  CHECK_THAT(plan("SELECT * FROM heartbeat_alerts WHERE time_us > 5"), contains_text("USING INDEX heartbeats_flagged"));
  CHECK_THAT(plan("SELECT * FROM latest WHERE customer_id = 'a'"), contains_text("USING PRIMARY KEY (customer_id=?)"));
  CHECK_THAT(plan("SELECT * FROM readings WHERE customer_id = 'a'"), contains_text("SCAN heartbeats"));
  config.customer_index = true;
  TestSink(config).sink->open();
  CHECK_THAT(plan("SELECT * FROM readings WHERE customer_id = 'a' AND time_us > 5"),
             contains_text("USING INDEX heartbeats_customer (customer_id=? AND time>?)"));
}

TEST_CASE("what is redelivered changes nothing and is reported as a duplicate") {
  File file;
  const auto readings = make_series(5000, 7);
  const auto check_all_duplicates = [&](TestSink& sink) {
    for (const auto& verdict : sink.write(readings)) {
      if (verdict.verdict != HB_VERDICT_DUPLICATE) FAIL("not reported");
    }
    CHECK(file.count() == "5000");
  };
  TestSink first(file.config());
  first.sink->open();
  first.write(readings);
  check_all_duplicates(first);
  first.sink->close();
  TestSink second(file.config());
  second.sink->open();
  check_all_duplicates(second);
}

TEST_CASE("what cannot be stored is rejected, and costs its neighbours nothing") {
  File file;
  auto config = file.config();
  config.retention = std::chrono::hours(24);
  TestSink sink(config);
  sink.sink->open();
  auto unended = make_reading("x", kNow, 60);
  std::fill(std::begin(unended.customer_id), std::end(unended.customer_id), 'x');
  const auto verdicts =
      sink.write({make_reading("a", kNow, 0), make_reading("a", kNow, 301), unended, make_reading("\xff", kNow, 60),
                  make_reading("a", sqlite::kTimeFloorUs - 1, 60), make_reading("a", kNow + kDay + 1, 60),
                  make_reading("a", kNow - kDay - 1, 60), make_reading("a", kNow, 70), make_reading("a", kNow, 80)});
  std::vector<std::string> reasons;
  for (const auto& verdict : verdicts) reasons.push_back(verdict.reason);
  CHECK(reasons == std::vector<std::string>{"out_of_range", "out_of_range", "bad_customer_id", "bad_customer_id",
                                            "time_implausible", "time_future", "expired", "", ""});
  CHECK(verdicts[7].verdict == 0);
  CHECK(verdicts[8].verdict == HB_VERDICT_DUPLICATE);  // of the same key in one batch the first wins
  CHECK(file.value("SELECT heart_rate FROM heartbeats") == "70");
}

TEST_CASE("a reading that a trigger refuses is rejected alone, and is not shown") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  file.run(
      "CREATE TRIGGER no_70 BEFORE INSERT ON heartbeats WHEN new.heart_rate = 70 "
      "BEGIN SELECT raise(ABORT, 'not 70'); END");
  const auto verdicts = sink.write({make_reading("a", kNow - 1, 69), make_reading("a", kNow, 70)});
  CHECK(verdicts[0].verdict == 0);
  CHECK(verdicts[1] == RecordedVerdict{HB_VERDICT_REJECT, "refused_by_database", "not 70"});
  sink.sink->close();
  CHECK(file.shown() == std::vector<std::string>{"a " + std::to_string(kNow - 1) + " 69"});
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

std::vector<hb::Reading> random_batch(std::mt19937& random, const std::vector<hb::Reading>& sent, unsigned customers) {
  std::vector<hb::Reading> batch;
  const auto size = random() % 5 == 0 ? 1 + random() % 3 : random() % 400;
  for (std::size_t i = 0; i < size; ++i) {
    const auto kind = random() % 20;
    if (kind == 0 && !sent.empty()) {  // redelivered, with another heart rate
      batch.push_back(sent[random() % sent.size()]);
      batch.back().heart_rate = 1 + static_cast<std::int32_t>(random() % 300);
    } else if (kind == 1 && !batch.empty()) {  // twice in one batch
      batch.push_back(batch[random() % batch.size()]);
      batch.back().heart_rate = 200;
    } else {
      const auto time = kNow - static_cast<std::int64_t>(random() % 3600) * kSecond;  // in no order
      batch.push_back(make_reading("customer-" + std::to_string(random() % customers), time,
                                   1 + static_cast<std::int32_t>(random() % 300),
                                   static_cast<std::uint16_t>(random() % 32), kNow + static_cast<std::int64_t>(i)));
    }
  }
  return batch;
}

}  // namespace

TEST_CASE("random batches, writers and restarts leave what the obvious store holds") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  File file;
  std::vector<std::unique_ptr<TestSink>> sinks;
  for (int i = 0; i < 2; ++i) {
    auto config = file.config();
    config.timeout = std::chrono::seconds(10);
    config.latest_interval = std::chrono::milliseconds(i == 0 ? 10 : 100);
    config.customer_index = i != 0 && seed % 3 == 0;
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
  CHECK(file.stored() == reference.stored());
  for (auto& sink : sinks) sink->sink->close();
  CHECK(file.shown() == reference.shown());
  CHECK(file.value("SELECT count(*) FROM heartbeat_unflushed") == "0");
  CHECK(file.value("PRAGMA integrity_check") == "ok");
}

TEST_CASE("two agents that write the same readings at the same time store each once") {
  File file;
  TestSink(file.config()).sink->open();
  const auto readings = make_series(20'000, 50);
  std::atomic<std::size_t> stored = 0;
  const auto run = [&] {
    auto config = file.config();
    config.timeout = std::chrono::seconds(20);
    TestSink sink(config);
    sink.sink->open();
    for (auto from = readings.begin(); from != readings.end(); from += 1000) {
      for (const auto& verdict : sink.write({from, from + 1000})) stored += verdict.verdict == 0 ? 1 : 0;
    }
  };
  { const std::jthread one(run), two(run); }
  CHECK(file.count() == "20000");
  CHECK(stored == 20'000);
  CHECK(file.shown().size() == 50);
}
