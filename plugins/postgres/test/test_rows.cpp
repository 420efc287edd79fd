// One bad row never costs its neighbours.
#include "support.hpp"

#include <algorithm>

using namespace postgres_test;

namespace {

std::size_t rejected(const std::vector<hb::testing::RecordedVerdict>& verdicts) {
  return static_cast<std::size_t>(
      std::count_if(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.verdict == HB_VERDICT_REJECT; }));
}

void refuse_value(Database& database, const std::string& condition) {
  database.sql.run(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN IF " +
      condition +
      " THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$; "
      "CREATE TRIGGER refuse BEFORE INSERT ON heartbeats FOR EACH ROW EXECUTE FUNCTION refuse()");
}

}  // namespace

TEST_CASE("readings that cannot be stored are rejected before they are sent, each with its reason") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  auto unterminated = make_reading("x", kNow, 60);
  std::fill(std::begin(unterminated.customer_id), std::end(unterminated.customer_id), 'x');
  auto empty = make_reading("x", kNow, 60);
  empty.customer_id[0] = '\0';
  const std::int64_t year_9999 = 253'370'764'800 * kSecond;
  const auto verdicts = sink.write({
      make_reading("good", kNow, 60),
      make_reading("bad\xff", kNow, 60),
      make_reading("\xed\xa0\x80", kNow, 60),
      unterminated,
      empty,
      make_reading("zero", kNow, 0),
      make_reading("much", kNow, 301),
      make_reading("future", year_9999, 60),
      make_reading("infinity", INT64_MAX, 60),
      make_reading("never", INT64_MIN, 60),
      make_reading("unset", 0, 60),
      make_reading("edge", kNow + kDay, 300),
      make_reading("edge", postgres::kTimeFloorUs, 1),
  });
  std::vector<std::string> reasons;
  for (const auto& verdict : verdicts) reasons.push_back(verdict.reason);
  CHECK(reasons == std::vector<std::string>{"", "bad_customer_id", "bad_customer_id", "bad_customer_id",
                                            "bad_customer_id", "out_of_range", "out_of_range", "time_future",
                                            "time_future", "time_implausible", "time_implausible", "", ""});
  CHECK(database.count() == "3");
}

TEST_CASE("a row in the middle of 5,000 that violates the schema is taken out alone") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  database.sql.run("ALTER TABLE heartbeats ADD CONSTRAINT house_rule CHECK (heart_rate <> 299)");
  auto readings = make_series(5000, 50);
  readings[2500].heart_rate = 299;
  const auto verdicts = sink.write(readings);
  CHECK(rejected(verdicts) == 1);
  CHECK(verdicts[2500].reason == "check_violation");
  CHECK(verdicts[2500].detail.starts_with("SQLSTATE 23514: "));
  CHECK(verdicts[2500].detail.find("house_rule") != std::string::npos);
  CHECK(database.count() == "4999");
  // Again: the stored ones are duplicates, so the bad one is among those of the other path.
  const auto again = sink.write(readings);
  CHECK(again[2500].verdict == HB_VERDICT_REJECT);
  CHECK(rejected(again) == 1);
}

TEST_CASE("a trigger's refusal is isolated by COPY's line, and by halves where rows are inserted") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  refuse_value(database, "NEW.heart_rate = 299");
  const auto newer = make_series(10, 10);
  sink.write(newer);
  auto older = make_series(3000, 10, kNow - 100 * kSecond);  // below the watermarks
  older[0].heart_rate = older[1777].heart_rate = older[2999].heart_rate = 299;
  const auto inserted = sink.write(older);
  CHECK(rejected(inserted) == 3);
  CHECK(inserted[1777].detail == "SQLSTATE P0001: not this one");
  CHECK(inserted[1777].reason == "refused_by_database");
  auto newest = make_series(3000, 10, kNow + 3600 * kSecond);
  newest[0].heart_rate = newest[1777].heart_rate = newest[2999].heart_rate = 299;
  const auto copied = sink.write(newest);
  CHECK(rejected(copied) == 3);
  CHECK(copied[2999].verdict == HB_VERDICT_REJECT);
  CHECK(database.count() == std::to_string(10 + 2997 + 2997));
}

TEST_CASE("a refusal that COPY gives no line for is found by halves") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  // A statement trigger sees the rows together.
  database.sql.run(
      "CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS "
      "(SELECT FROM heartbeats WHERE heart_rate = 299) THEN RAISE EXCEPTION 'not this one'; END IF; "
      "RETURN NULL; END $$; CREATE TRIGGER refuse_all AFTER INSERT ON heartbeats "
      "FOR EACH STATEMENT EXECUTE FUNCTION refuse_all()");
  auto readings = make_series(1000, 10);
  readings[333].heart_rate = 299;
  const auto verdicts = sink.write(readings);
  CHECK(rejected(verdicts) == 1);
  CHECK(verdicts[333].verdict == HB_VERDICT_REJECT);
  CHECK(database.count() == "999");
}

TEST_CASE("a batch of nothing but refused rows ends, and shows nothing") {
  Database database;
  auto config = config_for(database.name);
  config.connections = 2;
  TestSink sink(config);
  sink.sink->open();
  database.sql.run("ALTER TABLE heartbeats ADD CHECK (heart_rate < 10)");
  auto readings = make_series(2000, 10);
  CHECK(rejected(sink.write(readings)) == 2000);
  CHECK(database.count() == "0");
  sink.sink->close();
  CHECK(database.shown().empty());
}

TEST_CASE("a deferred constraint names its row too") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  database.sql.run(
      "CREATE TABLE customers (id varchar PRIMARY KEY); INSERT INTO customers VALUES ('c0'), ('c1'); "
      "ALTER TABLE heartbeats ADD FOREIGN KEY (customer_id) REFERENCES customers (id) "
      "DEFERRABLE INITIALLY DEFERRED");
  const auto readings = make_series(30, 3);
  const auto verdicts = sink.write(readings);
  CHECK(rejected(verdicts) == 10);
  CHECK(verdicts[2].detail.starts_with("SQLSTATE 23503: "));
  CHECK(database.count() == "20");
}
