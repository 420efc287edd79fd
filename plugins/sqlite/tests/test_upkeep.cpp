// heartrate_data after a death, retention, the size of the file and of its write-ahead log.
#include "support.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>

using namespace sqlite_test;

TEST_CASE("heartrate_data is made good for a writer that died before it could show its readings") {
  File file;
  auto config = file.config();
  config.latest_interval = std::chrono::minutes(10);
  TestHost host;
  host.set_now_us(kNow);
  const auto readings = make_series(20'000, 100);
  {
    sqlite::Store store(config, file.path, host.host());  // goes without a flush
    std::vector<std::uint32_t> rows(readings.size());
    std::iota(rows.begin(), rows.end(), 0U);
    std::vector<sqlite::Verdict> verdicts;
    store.write(readings, rows, verdicts);
  }
  CHECK(file.shown().empty());
  CHECK(file.value("SELECT count(*) FROM heartbeat_unflushed") == "1");
  TestSink next(config);
  next.sink->open();
  wait_until("the marks to go", [&] { return file.value("SELECT count(*) FROM heartbeat_unflushed") == "0"; });
  CHECK(file.value("SELECT count(*) FROM heartrate_data d JOIN (SELECT customer_id, max(time) AS time FROM heartbeats "
                   "GROUP BY 1) m USING (customer_id, time)") == "100");
}

TEST_CASE("a late reading does not move heartrate_data backwards") {
  File file;
  TestSink first(file.config()), second(file.config());
  first.sink->open();
  second.sink->open();
  first.write({make_reading("a", kNow, 80)});
  first.sink->close();
  second.write({make_reading("a", kNow - kDay, 50)});
  second.sink->close();
  CHECK(file.shown() == std::vector<std::string>{"a " + std::to_string(kNow) + " 80"});
  CHECK(file.count() == "2");
}

TEST_CASE("a batch that failed leaves nothing in heartrate_data, and what was stored before it is shown") {
  File file;
  auto config = file.config();
  config.latest_interval = std::chrono::milliseconds(400);
  TestSink sink(config);
  sink.sink->open();
  sink.write({make_reading("a", kNow - 1, 60)});
  file.run(
      "CREATE TRIGGER no_70 BEFORE INSERT ON heartbeats WHEN new.heart_rate = 70 "
      "BEGIN SELECT raise(ROLLBACK, 'not 70'); END");
  const auto [status, text] = outcome_of([&] {
    sink.write({make_reading("a", kNow, 200), make_reading("b", kNow, 70)});
  });
  CHECK(status == HB_FAILED);
  CHECK_THAT(text, contains_text("a trigger rolls back the whole batch"));
  CHECK(file.count() == "1");
  wait_until("heartrate_data", [&] { return !file.shown().empty(); });
  CHECK(file.shown() == std::vector<std::string>{"a " + std::to_string(kNow - 1) + " 60"});
  wait_until("the marks to go", [&] { return file.value("SELECT count(*) FROM heartbeat_unflushed") == "0"; });
}

TEST_CASE("retention deletes what is too old, keeps the rest and the latest, and gives the room back") {
  File file;
  auto config = file.config();
  TestSink sink(config);
  sink.sink->open();
  const auto old = make_series(200'000, 100, kNow - 30 * kDay);
  for (auto from = old.begin(); from != old.end(); from += 20'000) sink.write({from, from + 20'000});
  sink.write(make_series(1000, 100));
  sink.sink->close();
  const auto before = std::filesystem::file_size(file.path);

  config.retention = std::chrono::hours(24);
  TestSink keeper(config);
  keeper.sink->open();
  wait_until("the old readings to go", [&] { return file.count() == "1000"; });
  wait_until("the file to shrink", [&] { return std::stoll(file.value("PRAGMA freelist_count")) <= 128; });
  keeper.sink->close();
  CHECK(file.value("SELECT min(time) FROM heartbeats") == std::to_string(kNow - 10 * kSecond));
  CHECK(file.shown().size() == 100);
  CHECK(std::filesystem::file_size(file.path) < before);
  CHECK(file.value("PRAGMA integrity_check") == "ok");
}

TEST_CASE("a write is not held up by a retention that has much to delete") {
  File file;
  auto config = file.config();
  TestSink sink(config);
  sink.sink->open();
  const auto old = make_series(200'000, 100, kNow - 30 * kDay);
  for (auto from = old.begin(); from != old.end(); from += 20'000) sink.write({from, from + 20'000});
  sink.sink->close();
  config.retention = std::chrono::hours(24);
  TestSink keeper(config);
  keeper.sink->open();
  wait_until("the deletion to begin", [&] { return std::stoi(file.count()) < 200'000; });
  keeper.write({make_reading("a", kNow, 60)});
  CHECK(std::stoi(file.count()) > 1);  // it came through before all was deleted
}

TEST_CASE("the write-ahead log stays small, and a reader that holds it up stops the writes at max_wal") {
  File file;
  auto config = file.config();
  config.max_wal = hb::operator""_MiB(20);
  TestSink sink(config);
  sink.sink->open();
  const auto readings = make_series(1'200'000, 100);
  const auto wal = [&] { return std::filesystem::file_size(file.path + "-wal"); };
  auto from = readings.begin();
  for (int i = 0; i < 20; ++i, from += 20'000) sink.write({from, from + 20'000});
  CHECK(wal() < 20ULL << 20);

  auto reader = std::make_unique<sqlite::Database>(file.path, File::patience);
  reader->run("BEGIN");
  CHECK(reader->number("SELECT count(*) FROM heartbeats") == 400'000);
  std::pair<std::int32_t, std::string> outcome{HB_OK, ""};
  while (outcome.first == HB_OK && from != readings.end()) {
    outcome = outcome_of([&] { sink.write({from, from + 20'000}); });
    if (outcome.first == HB_OK) from += 20'000;
  }
  CHECK(outcome.first == HB_RETRY);
  CHECK_THAT(outcome.second, contains_text("heartbeats.db-wal has reached max_wal"));
  CHECK(wal() < 24ULL << 20);
  CHECK(reader->number("SELECT count(*) FROM heartbeats") == 400'000);
  reader.reset();
  sink.write({from, from + 20'000});
  CHECK(file.count() == std::to_string(from - readings.begin() + 20'000));
}
