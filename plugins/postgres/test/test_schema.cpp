// Schema, migrations, partitions, retention, privileges.
#include "migrations.hpp"
#include "support.hpp"

#include <algorithm>
#include <set>
#include <thread>

using namespace postgres_test;

namespace {

std::string partition_count(Database& database) {
  return database.sql.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'heartbeats'::regclass");
}

}  // namespace

TEST_CASE("partitions are made ahead of the clock and for old readings, also where they are far apart") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  CHECK(partition_count(database) == "8");
  const std::vector<hb::Reading> old{make_reading("a", 1'495'000'000 * kSecond, 60),
                                     make_reading("a", 1'525'000'000 * kSecond, 61),
                                     make_reading("a", 1'695'000'000 * kSecond, 62)};
  for (const auto& verdict : sink.write(old)) CHECK(verdict.verdict == 0);
  CHECK(partition_count(database) == "11");
  CHECK(database.sql.value("SELECT count(*) FROM heartbeats_p20170517") == "1");
  // They are indexed and checked as the parent is.
  CHECK(database.sql.value("SELECT count(*) FROM pg_indexes WHERE tablename = 'heartbeats_p20170517'") == "3");
  CHECK_THROWS(database.sql.run("INSERT INTO heartbeats VALUES ('a', '2017-05-17', 0)"));
  CHECK(
      database.sql.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'heartbeats%' AND relpartbound IS NOT NULL "
                         "AND pg_get_expr(relpartbound, oid) = 'DEFAULT'") == "0");
}

TEST_CASE("years of history in one batch get their partitions") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  std::vector<hb::Reading> readings;
  for (int day = 0; day < 200; ++day) readings.push_back(make_reading("a", kNow - day * kDay, 60));
  for (const auto& verdict : sink.write(readings)) CHECK(verdict.verdict == 0);
  CHECK(partition_count(database) == "207");
}

TEST_CASE("another partition interval goes on beside the partitions that are there") {
  Database database;
  { TestSink(config_for(database.name)).sink->open(); }
  auto config = config_for(database.name);
  config.partition_interval = std::chrono::hours(24 * 30);
  config.max_future = std::chrono::hours(24 * 365);
  TestSink monthly(config);
  monthly.sink->open();
  auto readings = make_series(10, 1);
  readings.push_back(make_reading("a", kNow + 20 * kDay, 60));
  readings.push_back(make_reading("a", kNow - 5 * kDay, 60));
  for (const auto& verdict : monthly.write(readings)) CHECK(verdict.verdict == 0);
  CHECK(database.count() == "12");

  config.partition_interval = std::chrono::hours(1);
  TestSink hourly(config);
  hourly.sink->open();
  CHECK(hourly.write({make_reading("a", kNow + 300 * kDay, 60)})[0].verdict == 0);
}

TEST_CASE("a partition that is dropped meanwhile is made again") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  sink.write(make_series(10, 10));
  database.sql.run("DROP TABLE heartbeats_p20261120");
  auto readings = make_series(20, 10, kNow + kSecond);
  auto config = config_for(database.name);
  for (const auto& verdict : sink.write(readings)) CHECK(verdict.verdict == 0);
  // A detached one keeps its name and its rows.
  database.sql.run("ALTER TABLE heartbeats DETACH PARTITION heartbeats_p20261120");
  for (const auto& verdict : sink.write(readings)) CHECK(verdict.verdict == 0);
  CHECK(database.count() == "20");
  CHECK(database.sql.value("SELECT count(*) FROM heartbeats_p20261120_2") == "20");
}

TEST_CASE("retention drops whole partitions and refuses what is older") {
  Database database;
  auto config = config_for(database.name);
  {
    TestSink keeper(config);
    keeper.sink->open();
    for (int day = 0; day < 10; ++day) keeper.write({make_reading("a", kNow - day * kDay, 60)});
  }
  CHECK(database.count() == "10");
  config.retention = std::chrono::hours(72);
  TestSink sink(config);
  sink.sink->open();
  wait_until("old partitions to go", [&] { return database.count() == "4"; });
  const auto verdicts = sink.write({make_reading("b", kNow - 4 * kDay, 60), make_reading("b", kNow - 2 * kDay, 60)});
  CHECK(verdicts[0].reason == "expired");
  CHECK(verdicts[1].verdict == 0);
  sink.sink->close();
  CHECK(database.shown().size() == 2);  // the latest reading outlives its history
}

TEST_CASE("implausible clocks cannot add partitions without end") {
  Database database;
  auto config = config_for(database.name);
  config.max_partitions = 10;
  TestSink sink(config);
  sink.sink->open();
  std::vector<hb::Reading> readings;
  for (int i = 0; i < 5; ++i) readings.push_back(make_reading("a", kNow - (10 + i) * kDay, 60));
  readings.push_back(make_reading("a", kNow, 60));
  const auto verdicts = sink.write(readings);
  CHECK(std::count_if(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.reason == "no_partition"; }) == 3);
  CHECK(verdicts[5].verdict == 0);
  CHECK(partition_count(database) == "10");
}

TEST_CASE("any number of agents may start at once on an empty database") {
  Database database;
  std::vector<std::string> errors(8);
  {
    std::vector<std::jthread> agents;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      agents.emplace_back([&, i] {
        TestSink sink(config_for(database.name));
        errors[i] = outcome_of([&] {
                      sink.sink->open();
                      sink.write({make_reading("a" + std::to_string(i), kNow - 100 * kDay, 60)});
                    }).second;
      });
    }
  }
  for (const auto& error : errors) CHECK(error == "");
  CHECK(database.count() == "8");
  CHECK(database.sql.value("SELECT count(*) FROM heartbeat_schema") == "1");
}

TEST_CASE("an older schema is migrated once, and a newer one is left alone") {
  Database database;
  { TestSink(config_for(database.name)).sink->open(); }
  const auto settings = postgres::make_settings(config_for(database.name));
  TestHost host;
  const postgres::Migration all[] = {postgres::migrations()[0],
                                     {2, "a test's", "ALTER TABLE heartbeats ADD COLUMN device text"}};
  CHECK(postgres::migrate(settings, host.host(), all) == 1);
  CHECK(postgres::migrate(settings, host.host(), all) == 0);
  CHECK(database.sql.value("SELECT max(version) FROM heartbeat_schema") == "2");
  TestSink old(config_for(database.name));
  const auto [status, text] = outcome_of([&] { old.sink->open(); });
  CHECK(status == HB_FAILED);
  CHECK(text.find("version 2") != std::string::npos);
}

TEST_CASE("a start that meets the schema's lock says who holds it, and goes on when it is free") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::seconds(2);
  // Another schema's lock is nobody's business here.
  database.sql.run("SELECT pg_advisory_lock(1751281767, hashtext('other'))");
  Sql admin(Server::instance().uri(database.name, "postgres"));
  admin.run("SELECT pg_advisory_lock(1751281767, hashtext('public'))");
  const std::string holder = "backend " + admin.value("SELECT pg_backend_pid()") + " of role postgres";
  TestSink sink(config);
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_RETRY);
  CHECK_THAT(text, contains_text(
                       "waited in vain for the lock of schema public, held by " + holder +
                       ": another agent migrates it or makes partitions, or somebody holds the lock (SQLSTATE 55P03)"));
  const auto logs = sink.host.logs();
  CHECK(std::any_of(logs.begin(), logs.end(), [&](const auto& log) {
    return log.second.find("waits for the lock of schema public, held by " + holder) != std::string::npos;
  }));
  CHECK(database.sql.value("SELECT to_regclass('heartbeats') IS NULL") == "t");
  admin.run("SELECT pg_advisory_unlock_all()");
  CHECK(outcome_of([&] { sink.sink->open(); }).first == HB_OK);
}

TEST_CASE("a migration that fails leaves nothing behind") {
  Database database;
  const auto settings = postgres::make_settings(config_for(database.name));
  TestHost host;
  const postgres::Migration all[] = {postgres::migrations()[0], {2, "a test's", "SELECT 1 / 0"}};
  CHECK_THROWS_AS(postgres::migrate(settings, host.host(), all), postgres::ServerError);
  CHECK(database.sql.value("SELECT to_regclass('heartbeats') IS NULL") == "t");
}

TEST_CASE("a schema of its own holds everything") {
  Database database;
  auto config = config_for(database.name);
  config.schema = "Ward \"3\"";
  TestSink sink(config);
  sink.sink->open();
  sink.write(make_series(10, 2));
  sink.sink->close();
  CHECK(database.sql.value("SELECT count(*) FROM \"Ward \"\"3\"\"\".heartbeats") == "10");
  CHECK(database.sql.value("SELECT count(*) FROM \"Ward \"\"3\"\"\".heartrate_data") == "2");
  CHECK(database.sql.value("SELECT to_regclass('public.heartbeats') IS NULL") == "t");
}

TEST_CASE("tables that are not as the sink writes them are named") {
  Database database;
  database.sql.run(
      "CREATE TABLE heartbeats (customer_id varchar, time timestamp, heart_rate int, flags smallint, "
      "received_at timestamptz, PRIMARY KEY (customer_id, time))");
  TestSink sink(config_for(database.name));
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_FAILED);
  CHECK(text.find("heartbeats.time has type timestamp") != std::string::npos);
  database.sql.run(
      "DROP VIEW heartbeat_alerts; DROP TABLE heartbeats; CREATE TABLE heartbeats (customer_id varchar, "
      "time timestamptz, heart_rate int, flags smallint, received_at timestamptz)");
  CHECK(outcome_of([&] { sink.sink->open(); }).second.find("no unique key") != std::string::npos);
}

TEST_CASE("an unpartitioned table of an administrator is written as it is") {
  Database database;
  database.sql.run(
      "CREATE TABLE heartbeats (customer_id varchar, time timestamptz, heart_rate int, flags smallint, "
      "received_at timestamptz, PRIMARY KEY (customer_id, time))");
  TestSink sink(config_for(database.name));
  sink.sink->open();
  for (const auto& verdict : sink.write(make_series(10, 2))) CHECK(verdict.verdict == 0);
  CHECK(database.count() == "10");
}

TEST_CASE("a role that may only write rows needs manage_schema = false, and is told so") {
  Database database;
  Server& server = Server::instance();
  Sql admin(server.uri(database.name, "postgres"));
  const std::string role = "writer_" + database.name;
  admin.run("CREATE ROLE " + role + " LOGIN PASSWORD '" + role + "'");
  auto config = config_for(database.name, role);
  {
    TestSink sink(config);
    const auto [status, text] = outcome_of([&] { sink.sink->open(); });
    CHECK(status == HB_FAILED);
    CHECK(text.find("grant CREATE") != std::string::npos);
    CHECK(text.find(role + ":") == std::string::npos);
  }
  { TestSink(config_for(database.name)).sink->open(); }
  config.manage_schema = false;
  {
    TestSink sink(config);
    const auto [status, text] = outcome_of([&] { sink.sink->open(); });
    CHECK(status == HB_FAILED);
    CHECK(text.find("42501") != std::string::npos);
  }
  database.sql.run("GRANT SELECT, INSERT ON heartbeats TO " + role +
                   "; GRANT SELECT, INSERT, UPDATE ON heartrate_data TO " + role +
                   "; GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeat_unflushed TO " + role);
  TestSink sink(config);
  sink.sink->open();
  for (const auto& verdict : sink.write(make_series(10, 2))) CHECK(verdict.verdict == 0);
  // No partition, and nobody to make one: an old reading is refused, a current one waits for the administrator.
  CHECK(sink.write({make_reading("a", kNow - 100 * kDay, 60)})[0].reason == "no_partition");
  database.sql.run("DROP TABLE heartbeats_p20261120");
  CHECK(outcome_of([&] { sink.write(make_series(10, 2, kNow + kSecond)); }).first == HB_RETRY);
  database.sql.run("GRANT SELECT ON heartbeat_schema TO " + role);
  config.manage_schema = true;
  TestSink managing(config);
  const auto [status, text] = outcome_of([&] { managing.sink->open(); });
  CHECK(status == HB_FAILED);
  CHECK(text.find("owner of heartbeats") != std::string::npos);
}

TEST_CASE("where an administrator makes the partitions, a reading ahead of them costs no other") {
  Database database;
  { TestSink(config_for(database.name)).sink->open(); }
  auto config = config_for(database.name);
  config.manage_schema = false;
  TestSink sink(config);
  sink.sink->open();
  database.sql.run("DROP TABLE heartbeats_p20261121");  // tomorrow
  auto readings = make_series(10, 2);
  readings.push_back(make_reading("fast", kNow + 13 * 3600 * kSecond, 60));
  const auto verdicts = sink.write(readings);
  CHECK(verdicts.back().verdict == HB_VERDICT_REJECT);
  CHECK(verdicts.back().reason == "no_partition");
  CHECK(database.count() == "10");
  // Without one for today all would be refused: it waits for the administrator.
  database.sql.run("DROP TABLE heartbeats_p20261120");
  CHECK(outcome_of([&] { sink.write(readings); }).first == HB_RETRY);
}
