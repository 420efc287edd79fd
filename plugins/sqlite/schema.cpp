#include "schema.hpp"

#include <hbagent/sdk.hpp>

namespace sqlite {
namespace {

// A key that begins with the time makes every insert an append: 10 times as fast as one that begins with the customer.
// The views show times as text; their time_us is the column itself, so that a condition on it uses the key.
constexpr Migration kMigrations[] = {
    {1, R"(
CREATE TABLE heartbeats (
  customer_id TEXT    NOT NULL,
  time        INTEGER NOT NULL,  -- microseconds since 1970-01-01, UTC
  heart_rate  INTEGER NOT NULL CONSTRAINT heart_rate_plausible CHECK (heart_rate BETWEEN 1 AND 300),
  flags       INTEGER NOT NULL DEFAULT 0,
  received_at INTEGER NOT NULL,  -- microseconds since 1970-01-01, UTC
  PRIMARY KEY (time, customer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX heartbeats_flagged ON heartbeats (time) WHERE flags <> 0;

CREATE TABLE heartrate_data (
  customer_id TEXT    NOT NULL PRIMARY KEY,
  heart_rate  INTEGER NOT NULL,
  time        INTEGER NOT NULL   -- microseconds since 1970-01-01, UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE heartbeat_unflushed (
  writer INTEGER PRIMARY KEY,
  low    INTEGER NOT NULL,
  high   INTEGER NOT NULL
) STRICT;

CREATE VIEW readings AS
  SELECT customer_id,
         strftime('%Y-%m-%dT%H:%M:%S', time / 1000000, 'unixepoch') || printf('.%06dZ', time % 1000000) AS time,
         heart_rate, flags,
         trim(CASE WHEN flags & 1  THEN 'low '      ELSE '' END || CASE WHEN flags & 2 THEN 'high '     ELSE '' END ||
              CASE WHEN flags & 4  THEN 'jump '     ELSE '' END || CASE WHEN flags & 8 THEN 'flatline ' ELSE '' END ||
              CASE WHEN flags & 16 THEN 'clock'     ELSE '' END) AS flag_names,
         strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000, 'unixepoch') ||
           printf('.%06dZ', received_at % 1000000) AS received_at,
         time AS time_us
  FROM heartbeats;
CREATE VIEW heartbeat_alerts AS
  SELECT customer_id, time, heart_rate, flags, flag_names, received_at, time_us FROM readings WHERE flags <> 0;
CREATE VIEW latest AS
  SELECT customer_id, heart_rate,
         strftime('%Y-%m-%dT%H:%M:%S', time / 1000000, 'unixepoch') || printf('.%06dZ', time % 1000000) AS time,
         time AS time_us
  FROM heartrate_data;
)"},
};

int check_ours(Database& database, const std::string& path, std::span<const Migration> all) {
  const auto version = static_cast<int>(database.number("PRAGMA user_version"));
  const auto application = database.number("PRAGMA application_id");
  const auto tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (application != kApplicationId && (version != 0 || application != 0 || tables != 0)) {
    throw hb::Failed(path + ": this database was made by another program; name another path");
  }
  if (version > all.back().version) {
    throw hb::Failed(path + ": the schema has version " + std::to_string(version) + ", this plugin knows up to " +
                     std::to_string(all.back().version) + ": a newer hbagent has migrated it");
  }
  return version;
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

int migrate(Database& database, const std::string& path, std::span<const Migration> all) {
  const int found = check_ours(database, path, all);
  // These two count before the first table only.
  if (found == 0) database.run("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL");
  if (database.text("PRAGMA journal_mode = WAL") != "wal") {
    throw hb::Failed(path + ": this file system cannot hold a database in WAL mode; put it on a local disk");
  }
  if (found == all.back().version) return 0;
  Transaction transaction(database);
  const int version = check_ours(database, path, all);  // again: another agent may just have done it
  int applied = 0;
  for (const Migration& migration : all) {
    if (migration.version <= version) continue;
    database.run(migration.sql);
    ++applied;
  }
  database.run("PRAGMA application_id = " + std::to_string(kApplicationId) +
               "; PRAGMA user_version = " + std::to_string(all.back().version));
  transaction.commit();
  return applied;
}

}  // namespace sqlite
