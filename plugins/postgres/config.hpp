// The options of the postgres sink.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace postgres {

// Readings before this time come from a clock that was never set (policy of the whole pipeline).
inline constexpr std::int64_t kTimeFloorUs = 315'532'800'000'000;  // 1980-01-01T00:00:00Z
inline constexpr std::int32_t kMinHeartRate = 1;
inline constexpr std::int32_t kMaxHeartRate = 300;

struct Config {
  std::string uri;
  std::string host;
  std::optional<std::int32_t> port;
  std::string dbname;
  std::string user;
  std::string password;
  std::string sslmode;
  std::string sslrootcert;
  std::string sslcert;
  std::string sslkey;
  std::string application_name = "hbagent";
  std::string schema = "public";
  bool manage_schema = true;
  std::int32_t connections = 1;
  std::chrono::seconds partition_interval = std::chrono::hours(24);
  std::int32_t partitions_ahead = 7;
  std::int32_t max_partitions = 4000;
  std::optional<std::chrono::seconds> retention;
  std::chrono::seconds max_future = std::chrono::hours(24);
  std::chrono::milliseconds latest_interval = std::chrono::seconds(1);
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};

inline constexpr auto kOptions = hb::options(
    hb::option("uri", &Config::uri,
               "Where the database is, as a URI or a libpq connection string. Instead of host, port, dbname, user, "
               "password and the ssl options.")
        .secret()
        .example("\"postgresql://hbagent:${PGPASSWORD}@localhost:5435/heartbeat_db\""),
    hb::option("host", &Config::host, "Host name, address, or folder of a Unix socket. Default: libpq's."),
    hb::option("port", &Config::port, "Port. Default: libpq's, 5432.").range(1, 65535),
    hb::option("dbname", &Config::dbname, "Database, which must exist. Default: heartbeat_db, unless uri says."),
    hb::option("user", &Config::user, "Role to log in as. Default: libpq's."),
    hb::option("password", &Config::password, "Password of the role.").secret().example("\"${PGPASSWORD}\""),
    hb::option("sslmode", &Config::sslmode, "How TLS is used; verify-full is the one that proves who answers.")
        .choices("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    hb::option("sslrootcert", &Config::sslrootcert, "File with the certificates to trust."),
    hb::option("sslcert", &Config::sslcert, "File with the client's certificate."),
    hb::option("sslkey", &Config::sslkey, "File with the client's key."),
    hb::option("application_name", &Config::application_name, "Name shown in pg_stat_activity."),
    hb::option("schema", &Config::schema, "Schema that holds the tables."),
    hb::option("manage_schema", &Config::manage_schema,
               "Create and migrate the tables, make partitions ahead of time and drop them by age. false: an "
               "administrator does all of that, and the role needs no rights beyond reading and writing rows."),
    hb::option("connections", &Config::connections, "Connections that write at the same time, split by customer.")
        .range(1, 16),
    hb::option("partition_interval", &Config::partition_interval, "Time that one partition of heartbeats spans.")
        .range(std::chrono::minutes(1), std::chrono::hours(24 * 366)),
    hb::option("partitions_ahead", &Config::partitions_ahead, "Partitions made ahead of the clock.").range(1, 1000),
    hb::option("max_partitions", &Config::max_partitions,
               "Partitions up to which old readings may add new ones; beyond it they are rejected (no_partition).")
        .range(1, 100'000),
    hb::option("retention", &Config::retention,
               "Age at which partitions are dropped; older readings are rejected (expired). Default: never.")
        .min(std::chrono::minutes(1))
        .example("\"90d\""),
    hb::option("max_future", &Config::max_future,
               "How far ahead of the clock a reading may be; beyond it is rejected (time_future).")
        .range(std::chrono::seconds(0), std::chrono::hours(24 * 36'600)),
    hb::option("latest_interval", &Config::latest_interval,
               "How often heartrate_data, the latest reading of each customer, is brought up to date.")
        .range(std::chrono::milliseconds(10), std::chrono::minutes(10)),
    hb::option(
        "timeout", &Config::timeout,
        "Longest wait for the server in one step (connecting, one statement, one lock) before it counts as dead.")
        .range(std::chrono::milliseconds(100), std::chrono::minutes(30)));

}  // namespace postgres
