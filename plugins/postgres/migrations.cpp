#include "migrations.hpp"

#include "sqlstate.hpp"

#include <array>
#include <string>

namespace postgres {
namespace {

constexpr const char* kLockNotAvailable = "55P03";  // lock_timeout

// COLLATE "C" makes the key 1.5 to 2 times as fast as a language's collation. fillfactor 50 keeps the updates of
// heartrate_data on their own page (HOT). Partitions copy the indexes and checks of heartbeats. Without
// autosummarize the BRIN index leaves out what came in since the last vacuum, up to a fifth of a partition, and a query
// for the last minute reads all of that.
constexpr Migration kMigrations[] = {
    {1, "history, latest reading of each customer, alerts", R"(
CREATE TABLE IF NOT EXISTS heartbeats (
  customer_id varchar COLLATE "C" NOT NULL,
  time        timestamptz NOT NULL,
  heart_rate  integer     NOT NULL CONSTRAINT heart_rate_plausible CHECK (heart_rate BETWEEN 1 AND 300),
  flags       smallint    NOT NULL DEFAULT 0,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, time)
) PARTITION BY RANGE (time);
CREATE INDEX IF NOT EXISTS heartbeats_time ON heartbeats USING brin (time)
  WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS heartbeats_flagged ON heartbeats (time) WHERE flags <> 0;

CREATE TABLE IF NOT EXISTS heartrate_data (
  customer_id varchar COLLATE "C" PRIMARY KEY,
  heart_rate  integer   NOT NULL,
  time        timestamp NOT NULL
) WITH (fillfactor = 50);
COMMENT ON COLUMN heartrate_data.time IS 'UTC';

CREATE TABLE IF NOT EXISTS heartbeat_unflushed (
  writer bigint      PRIMARY KEY,
  low    timestamptz NOT NULL,
  high   timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE heartbeat_unflushed IS
  'Times of readings that heartrate_data may not show yet, one row for each writer at work';

CREATE OR REPLACE VIEW heartbeat_alerts AS
  SELECT customer_id, time, heart_rate, flags,
         array_remove(ARRAY[CASE WHEN flags & 1 <> 0 THEN 'low' END,
                            CASE WHEN flags & 2 <> 0 THEN 'high' END,
                            CASE WHEN flags & 4 <> 0 THEN 'jump' END,
                            CASE WHEN flags & 8 <> 0 THEN 'flatline' END,
                            CASE WHEN flags & 16 <> 0 THEN 'clock' END], NULL) AS flag_names,
         received_at
  FROM heartbeats WHERE flags <> 0;
)"},
};

// Reads the catalogue's rows and not to_regclass(), whose cached "no" would outlast the wait for another agent's
// migration.
bool has_version_table(pqxx::work& transaction, const Settings& settings) {
  return !transaction
              .exec("SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = " +
                    transaction.quote(settings.schema) + " AND c.relname = 'heartbeat_schema'")
              .empty();
}

int current_version(pqxx::work& transaction, const Settings& settings) {
  if (!has_version_table(transaction, settings)) return 0;
  return transaction.exec("SELECT coalesce(max(version), 0) FROM heartbeat_schema")[0][0].as<int>();
}

void check_not_newer(int version, std::span<const Migration> all) {
  if (version > all.back().version) {
    throw hb::Failed("the schema has version " + std::to_string(version) + ", this plugin knows up to " +
                     std::to_string(all.back().version) + ": a newer hbagent has migrated it");
  }
}

// The lock of one schema. The first number is "hbpg"; advisory locks are the database's, so the schema is part of it.
std::string lock_numbers(pqxx::work& transaction, const Settings& settings) {
  return "1751281767, hashtext(" + transaction.quote(settings.schema) + ')';
}

// "backend 4711 of role NAME". Any role of the database may take the lock, so it matters whose session it is.
std::string lock_holder(pqxx::work& transaction, const Settings& settings) {
  // pg_locks shows the two numbers of an advisory lock as unsigned.
  const auto found = transaction.exec(
      "SELECT l.pid, a.usename FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
      "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 1751281767 "
      "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
      "AND l.objid::bigint = hashtext(" +
      transaction.quote(settings.schema) + ")::bigint & 4294967295");
  if (found.empty()) return "a session that has just ended";
  std::string holder = "backend " + found[0][0].as<std::string>();
  if (!found[0][1].is_null()) holder += " of role " + found[0][1].as<std::string>();
  return holder;
}

int apply(pqxx::work& transaction, const Settings& settings, hb::Host host, std::span<const Migration> all) {
  lock_schema(transaction, settings, host);
  const int version = current_version(transaction, settings);  // again: another agent may just have done it
  check_not_newer(version, all);
  const auto schema = transaction.quote(settings.schema);
  if (transaction.exec("SELECT FROM pg_namespace WHERE nspname = " + schema).empty()) {
    transaction.exec("CREATE SCHEMA " + quote_identifier(settings.schema));
  }
  if (version == 0) {
    transaction.exec(
        "CREATE TABLE IF NOT EXISTS heartbeat_schema (version integer PRIMARY KEY, "
        "applied_at timestamptz NOT NULL DEFAULT now())");
  }
  int applied = 0;
  for (const Migration& migration : all) {
    if (migration.version <= version) continue;
    transaction.exec(migration.sql);
    transaction.exec("INSERT INTO heartbeat_schema (version) VALUES (" + std::to_string(migration.version) + ")");
    ++applied;
  }
  return applied;
}

struct Column {
  const char* table;
  const char* name;
  std::string_view types;  // allowed ones, each between spaces
};
// Binary COPY converts nothing, so heartbeats must match exactly.
constexpr Column kColumns[] = {
    {"heartbeats", "customer_id", " varchar text "}, {"heartbeats", "time", " timestamptz "},
    {"heartbeats", "heart_rate", " int4 "},          {"heartbeats", "flags", " int2 "},
    {"heartbeats", "received_at", " timestamptz "},  {"heartrate_data", "customer_id", " varchar text "},
    {"heartrate_data", "heart_rate", " int4 "},      {"heartrate_data", "time", " timestamp "},
    {"heartbeat_unflushed", "writer", " int8 "},     {"heartbeat_unflushed", "low", " timestamptz "},
    {"heartbeat_unflushed", "high", " timestamptz "}};

void check_column(pqxx::work& transaction, const Column& column) {
  const auto found = transaction.exec(
      "SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass(" +
      transaction.quote(std::string(column.table)) +
      ") AND a.attname = " + transaction.quote(std::string(column.name)) + " AND NOT a.attisdropped");
  const std::string name = std::string(column.table) + '.' + column.name;
  if (found.empty()) throw hb::Failed("there is no column " + name + " (table missing, or somebody else's)");
  const auto type = found[0][0].as<std::string>();
  if (column.types.find(' ' + type + ' ') == std::string_view::npos) {
    throw hb::Failed("column " + name + " has type " + type + ", expected" + std::string(column.types));
  }
}

// Redelivery is harmless only where the key refuses what is there.
void check_key(pqxx::work& transaction, const std::string& table, const std::string& columns) {
  const auto found = transaction.exec(
      "SELECT FROM pg_index i WHERE i.indrelid = to_regclass(" + transaction.quote(table) +
      ") AND i.indisunique AND i.indpred IS NULL AND "
      "(SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND "
      "a.attnum = ANY (i.indkey)) = " +
      transaction.quote(columns));
  if (found.empty()) throw hb::Failed("table " + table + " has no unique key (" + columns + ')');
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

void lock_schema(pqxx::work& transaction, const Settings& settings, hb::Host host) {
  const std::string numbers = lock_numbers(transaction, settings);
  if (transaction.exec("SELECT pg_try_advisory_xact_lock(" + numbers + ")")[0][0].as<bool>()) return;
  const std::string what = "the lock of schema " + settings.schema + ", held by " + lock_holder(transaction, settings) +
                           ": another agent migrates it or makes partitions, or somebody holds the lock";
  host.info("waits for " + what);
  try {
    transaction.exec("SELECT pg_advisory_xact_lock(" + numbers + ")");  // no longer than the session's lock_timeout
  } catch (const pqxx::sql_error& error) {
    if (error.sqlstate() != kLockNotAvailable) throw;
    throw ServerError(kLockNotAvailable, "waited in vain for " + what);
  }
}

int migrate(const Settings& settings, hb::Host host, std::span<const Migration> all) {
  int applied = 0;
  try {
    in_transaction(settings, host, settings.timeout, [&](pqxx::work& transaction) {
      const int version = current_version(transaction, settings);
      check_not_newer(version, all);
      if (version < all.back().version) applied = apply(transaction, settings, host, all);
    });
  } catch (const ServerError& error) {
    if (error.sqlstate != "42501") throw;
    throw hb::Failed("the role may not create or change the tables in schema " + settings.schema + " (" + error.what() +
                     "): grant CREATE on the schema, or have an administrator make them and set manage_schema = false");
  }
  return applied;
}

void verify(const Settings& settings, hb::Host host) {
  in_transaction(settings, host, settings.timeout, [&](pqxx::work& transaction) {
    for (const Column& column : kColumns) check_column(transaction, column);
    check_key(transaction, "heartbeats", "customer_id,time");
    check_key(transaction, "heartrate_data", "customer_id");
    check_key(transaction, "heartbeat_unflushed", "writer");
  });
}

}  // namespace postgres
