// What goes on beside the writes: partitions, retention, heartrate_data for writers that died; and how it ends.
#include "session.hpp"
#include "support.hpp"

#include <algorithm>
#include <thread>

using namespace postgres_test;

namespace {

// What a writer leaves that died before it could show this reading: stored, and not in heartrate_data.
void leave_unshown(Database& database, int writer, const hb::Reading& reading) {
  const std::string time = "to_timestamp(" + std::to_string(reading.time_us / kSecond) + ")";
  database.sql.run("INSERT INTO heartbeats VALUES ('" + std::string(hb::customer_id(reading)) + "', " + time + ", " +
                   std::to_string(reading.heart_rate) + ")");
  database.sql.run("INSERT INTO heartbeat_unflushed VALUES (" + std::to_string(writer) + ", " + time + ", " + time +
                   ")");
}

std::ptrdiff_t count_logs(const TestSink& sink, std::int32_t level, const std::string& part) {
  const auto logs = sink.host.logs();
  return std::count_if(logs.begin(), logs.end(), [&](const auto& line) {
    return line.first == level && line.second.find(part) != std::string::npos;
  });
}

// As Database::shown has it.
std::string shown_as(const hb::Reading& reading) {
  return std::string(hb::customer_id(reading)) + ' ' + std::to_string(reading.time_us) + ' ' +
         std::to_string(reading.heart_rate);
}

std::string sessions(Database& database, const std::string& condition) {
  return database.sql.value(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hbagent' AND " +
      condition);
}

}  // namespace

TEST_CASE("opening again waits for no catch-up, and leaves none behind on the server") {
  Database database;
  { TestSink(config_for(database.name)).sink->open(); }
  database.sql.run(
      "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "IF NEW.customer_id = 'slow' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$; "
      "CREATE TRIGGER dawdle BEFORE INSERT ON heartrate_data FOR EACH ROW EXECUTE FUNCTION dawdle()");
  leave_unshown(database, 4711, make_reading("slow", kNow, 60));
  TestSink sink(config_for(database.name));
  const auto took = [](const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  CHECK(took([&] { sink.sink->open(); }) < 8);
  const std::string sleeping = "wait_event = 'PgSleep'";
  wait_until("the keeper to catch up", [&] { return sessions(database, sleeping) == "1"; });
  Sql admin(Server::instance().uri(database.name, "postgres"));
  admin.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
      "application_name = 'hbagent' AND wait_event IS DISTINCT FROM 'PgSleep'");
  wait_until("the writer's session to be gone", [&] { return sessions(database, "true") == "1"; });
  const auto readings = make_series(10, 2);
  CHECK(outcome_of([&] { sink.write(readings); }).first == HB_REOPEN);
  CHECK(took([&] { sink.sink->close(); }) < 8);
  CHECK(sessions(database, sleeping) == "0");
  CHECK(took([&] {
          sink.sink->open();
          sink.write(readings);
        }) < 8);
  CHECK(database.count() == "11");
  database.sql.run("DROP TRIGGER dawdle ON heartrate_data");
}

TEST_CASE("a session that is not wanted any more ends soon, also while it connects to a frozen server") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::seconds(60);
  const auto settings = postgres::make_settings(config);
  TestHost host;
  std::stop_source stop;
  Server::instance().freeze();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // somewhere within the attempt to connect
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  std::string error;
  try {
    postgres::in_transaction(
        settings, host.host(), std::chrono::seconds(60), [](pqxx::work&) {}, nullptr, stop.get_token());
  } catch (const std::exception& failure) {
    error = failure.what();
  }
  const auto took = std::chrono::steady_clock::now() - start;
  Server::instance().thaw();
  CHECK(error == "given up because the sink is closing");
  CHECK(took < std::chrono::seconds(8));
}

TEST_CASE("retention that fails again and again is said once, and stops no other upkeep") {
  Database database;
  auto config = config_for(database.name);
  config.partition_interval = std::chrono::minutes(1);  // upkeep every 30 s
  {
    TestSink before(config);
    before.sink->open();
    for (int minute = 0; minute < 10; ++minute) {
      before.write({make_reading("a", kNow - minute * 60 * kSecond, 60)});
    }
  }
  config.retention = std::chrono::minutes(3);
  Sql reader(Server::instance().uri(database.name));
  reader.run("BEGIN; SELECT FROM heartbeats WHERE time < to_timestamp(" + std::to_string(kNow / kSecond - 500) + ")");
  TestSink sink(config);
  sink.sink->open();
  const std::string retention = "dropping partitions older than the retention ";
  wait_until("the drop to fail", [&] { return count_logs(sink, HB_LOG_WARNING, retention + "failed") > 0; });
  leave_unshown(database, 4711, make_reading("late", kNow, 60));
  wait_until("the next round to show it", [&] {
    return database.sql.value("SELECT count(*) FROM heartrate_data WHERE customer_id = 'late'") == "1";
  });
  CHECK(count_logs(sink, HB_LOG_WARNING, retention + "failed") == 1);
  reader.run("ROLLBACK");
  wait_until("the partitions to go", [&] { return count_logs(sink, HB_LOG_INFO, retention + "works again") == 1; });
  CHECK(database.sql.value("SELECT count(*) FROM heartbeats WHERE time < to_timestamp(" +
                           std::to_string(kNow / kSecond - 240) + ")") == "0");
}

TEST_CASE("that heartrate_data is behind is said once, and a lost connection is left to the next write") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::milliseconds(300);
  config.latest_interval = std::chrono::milliseconds(10);
  TestSink sink(config);
  sink.sink->open();
  const auto warnings = [&] { return count_logs(sink, HB_LOG_WARNING, "heartrate_data is not up to date"); };
  const auto four_seconds = [] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(4);
    wait_until("four seconds", [&] { return std::chrono::steady_clock::now() > end; });
  };
  Sql blocker(Server::instance().uri(database.name));
  blocker.run("BEGIN; LOCK TABLE heartrate_data IN EXCLUSIVE MODE");
  sink.write(make_series(10, 2));
  wait_until("a warning", [&] { return warnings() > 0; });
  four_seconds();
  CHECK(warnings() == 1);
  Sql admin(Server::instance().uri(database.name, "postgres"));
  admin.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
      "application_name = 'hbagent'");
  wait_until("the loss to be found", [&] { return sink.host.health() && !sink.host.health()->first; });
  four_seconds();
  CHECK(warnings() == 2);
  blocker.run("ROLLBACK");
  const auto newest = make_series(10, 2, kNow + 100 * kSecond);
  sink.write(newest, 2);
  wait_until("heartrate_data", [&] { return database.shown().at(0) == shown_as(newest[8]); });
}
