// What goes wrong with the file: each is said with its path and what to do, and goes on when it is mended.
#include "support.hpp"

#include <filesystem>
#include <fstream>

using namespace sqlite_test;

TEST_CASE("a folder that is missing is named, and the sink goes on once it is there") {
  File file;
  auto config = file.config();
  config.path = (file.folder.path() / "missing" / "a.db").string();
  TestSink sink(config);
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_REOPEN);
  CHECK_THAT(text, contains_text(config.path + ": the folder " + (file.folder.path() / "missing").string() +
                                 " does not exist"));
  CHECK(outcome_of([&] { sink.write({make_reading("a", kNow, 60)}); }).first == HB_REOPEN);
  std::filesystem::create_directory(file.folder.path() / "missing");
  sink.sink->open();
  CHECK(sink.write({make_reading("a", kNow, 60)})[0].verdict == 0);
}

TEST_CASE("a path that is a folder is refused") {
  File file;
  auto config = file.config();
  config.path = file.folder.path().string();
  TestSink sink(config);
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_REOPEN);
  CHECK_THAT(text, contains_text("this is a folder"));
}

TEST_CASE("another writer's lock is waited for, then the batch is tried again") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  {
    sqlite::Database other = file.open();
    const sqlite::Transaction lock(other);
    const auto [status, text] = outcome_of([&] { sink.write({make_reading("a", kNow, 60)}); });
    CHECK(status == HB_RETRY);
    CHECK_THAT(text, contains_text(file.path + ": another program holds the write lock"));
  }
  CHECK(sink.write({make_reading("a", kNow, 60)})[0].verdict == 0);
}

TEST_CASE("a full disk is said, nothing of the batch is stored, and it goes on when there is room") {
  File file;
  auto config = file.config();
  sqlite::Config small = config;
  TestHost host;
  host.set_now_us(kNow);
  sqlite::Store store(small, file.path, host.host());
  std::vector<sqlite::Verdict> verdicts;
  const auto readings = make_series(20'000, 10);
  std::vector<std::uint32_t> rows(readings.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
  store.limit_pages(20);
  const auto [status, text] = outcome_of([&] {
    try {
      store.write(readings, rows, verdicts);
    } catch (const sqlite::SqliteError& error) {
      throw hb::Error(error.primary(), error.what());
    }
  });
  CHECK(status == SQLITE_FULL);
  CHECK(file.count() == "0");
  store.limit_pages(100'000);
  store.write(readings, rows, verdicts);
  CHECK(verdicts.empty());
  CHECK(file.count() == "20000");
}

TEST_CASE("a file that is no database, another program's, or newer is refused and left as it is") {
  File file;
  TestSink sink(file.config());
  const auto refused_with = [&](const std::string& what) {
    const auto [status, text] = outcome_of([&] { sink.sink->open(); });
    CHECK(status == HB_FAILED);
    CHECK_THAT(text, contains_text(file.path + ": "));
    CHECK_THAT(text, contains_text(what));
  };
  SECTION("no database") {
    const std::string content(5000, 'x');
    std::ofstream(file.path) << content;
    refused_with("this is not a SQLite database");
    std::ifstream in(file.path);
    CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == content);
  }
  SECTION("another program's") {
    file.run("CREATE TABLE heartbeats (x)");
    refused_with("made by another program");
    CHECK(file.value("PRAGMA journal_mode") == "delete");
  }
  SECTION("newer") {
    sink.sink->open();
    sink.sink->close();
    file.run("PRAGMA user_version = 99");
    refused_with("the schema has version 99, this plugin knows up to 1");
  }
}

TEST_CASE("a damaged file stops the sink, and .recover is named") {
  File file;
  {
    TestSink sink(file.config());
    sink.sink->open();
    sink.write(make_series(20'000, 10));
  }
  {
    std::fstream damage(file.path, std::ios::in | std::ios::out | std::ios::binary);
    for (int page = 1; page < 60; ++page) {
      damage.seekp(page * 8192);
      damage << std::string(64, '\xff');
    }
  }
  TestSink sink(file.config());
  const auto [status, text] = outcome_of([&] {
    sink.sink->open();
    sink.write(make_series(20'000, 10));
  });
  CHECK(status == HB_FAILED);
  CHECK_THAT(text, contains_text(file.path + ": the database is damaged"));
  CHECK_THAT(text, contains_text(".recover"));
}

TEST_CASE("readings are not delivered into a file that was deleted while it was open") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  sink.write({make_reading("a", kNow - 1, 60)});
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.path + suffix);
  const auto [status, text] = outcome_of([&] { sink.write({make_reading("a", kNow, 61)}); });
  CHECK(status == HB_REOPEN);
  CHECK_THAT(text, contains_text("deleted, moved or replaced"));
  sink.sink->open();
  CHECK(sink.write({make_reading("a", kNow, 61)})[0].verdict == 0);
  CHECK(file.count() == "1");
}

TEST_CASE("a file that was moved away keeps all that was stored in it, and the next one begins empty") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  sink.write(make_series(3000, 10));  // in the write-ahead log so far
  File moved;
  std::filesystem::rename(file.path, moved.path);
  const auto [status, text] = outcome_of([&] { sink.write({make_reading("b", kNow, 61)}); });
  CHECK(status == HB_REOPEN);
  sink.sink->open();
  CHECK(sink.write({make_reading("b", kNow, 61)})[0].verdict == 0);
  sink.sink->close();
  CHECK(file.count() == "1");
  CHECK(moved.value("SELECT count(*) FROM heartbeats WHERE customer_id <> 'b'") == "3000");
  CHECK(moved.value("PRAGMA integrity_check") == "ok");
}

TEST_CASE("a file that is put in the place of the open one gets nothing of the old one's log") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  sink.write(make_series(20'000, 10));
  File other;
  file.run("VACUUM INTO '" + other.path + "'");
  other.run("DELETE FROM heartbeats WHERE customer_id <> 'c1'; VACUUM");
  sink.write(make_series(3000, 5, kNow + 3000 * kSecond));
  const std::string kept = other.count();
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(other.path + suffix);
  std::filesystem::rename(other.path, file.path);
  CHECK(outcome_of([&] { sink.write({make_reading("b", kNow, 61)}); }).first == HB_REOPEN);
  sink.sink->open();
  CHECK(file.value("PRAGMA integrity_check") == "ok");
  CHECK(file.count() == kept);
  CHECK(sink.write({make_reading("b", kNow, 61)})[0].verdict == 0);
}

TEST_CASE("while somebody reads a file that was moved, the new one is not begun") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  sink.write(make_series(3000, 10));
  auto reader = std::make_unique<sqlite::Database>(file.path, File::patience);
  reader->run("BEGIN");
  CHECK(reader->number("SELECT count(*) FROM heartbeats") == 3000);
  sink.write(make_series(100, 10, kNow + 100 * kSecond));
  File moved;
  std::filesystem::rename(file.path, moved.path);
  const auto [status, text] = outcome_of([&] { sink.write({make_reading("b", kNow, 61)}); });
  CHECK(status == HB_RETRY);
  CHECK_THAT(text, contains_text("heartbeats.db-wal, which belongs to the old one"));
  CHECK_FALSE(std::filesystem::exists(file.path));
  reader->run("COMMIT");
  reader.reset();
  CHECK(outcome_of([&] { sink.write({make_reading("b", kNow, 61)}); }).first == HB_REOPEN);
  sink.sink->close();
  CHECK(moved.value("SELECT count(*) FROM heartbeats WHERE customer_id <> 'b'") == "3100");
}

TEST_CASE("a stop does not wait for a lock as long as the timeout") {
  File file;
  Config config = file.config();
  config.timeout = std::chrono::minutes(1);
  TestSink sink(config);
  sink.sink->open();
  sink.write({make_reading("a", kNow, 60)});
  sqlite::Database other = file.open();
  other.run("BEGIN IMMEDIATE");
  sink.host.stop();
  const auto begin = std::chrono::steady_clock::now();
  sink.sink->close();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("another program's file in the place of the open one is refused, and left as it is") {
  File file;
  TestSink sink(file.config());
  sink.sink->open();
  sink.write(make_series(3000, 10));
  File other;
  other.run("CREATE TABLE a (b); INSERT INTO a VALUES (7)");
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(other.path + suffix);
  std::filesystem::rename(other.path, file.path);
  CHECK(outcome_of([&] { sink.write({make_reading("b", kNow, 61)}); }).first == HB_REOPEN);
  CHECK(outcome_of([&] { sink.sink->open(); }).first == HB_FAILED);
  CHECK(file.rows("SELECT name || (SELECT b FROM a) FROM sqlite_master") == std::vector<std::string>{"a7"});
}
