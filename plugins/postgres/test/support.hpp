// What the server tests share: a database of their own, sinks on it, and what is stored there.
#pragma once

#include <hbagent/testing.hpp>

#include "postgres_sink.hpp"
#include "server.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace postgres_test {

using hb::testing::make_reading;
using hb::testing::TestBatch;
using hb::testing::TestHost;
using postgres::PostgresSink;

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kDay = 86'400 * kSecond;
// The clock of the tests' hosts: 2026-11-20T12:00:00Z.
inline constexpr std::int64_t kNow = 1'795'176'000 * kSecond;

inline postgres::Config config_for(const std::string& database, const std::string& role = "hbagent") {
  postgres::Config config;
  config.uri = Server::instance().uri(database, role);
  config.timeout = std::chrono::seconds(10);
  return config;
}

// A sink with its host; the host's clock stands at kNow.
struct TestSink {
  explicit TestSink(const postgres::Config& config) {
    host.set_now_us(kNow);
    sink = std::make_unique<PostgresSink>(config, host.host());
  }
  // Writes as the agent does, reopening and retrying until it is taken, at most `attempts` times.
  std::vector<hb::testing::RecordedVerdict> write(const std::vector<hb::Reading>& readings, int attempts = 1) {
    while (true) {
      TestBatch batch(readings);
      try {
        sink->write(batch.sink_batch());
        std::vector<hb::testing::RecordedVerdict> verdicts;
        for (std::size_t i = 0; i < readings.size(); ++i) verdicts.push_back(batch.verdict(i));
        return verdicts;
      } catch (const hb::Error& error) {
        if (--attempts <= 0) throw;
        if (error.status == HB_REOPEN) {
          sink->close();
          sink->open();
        }
      }
    }
  }
  TestHost host;
  std::unique_ptr<PostgresSink> sink;
};

// A database with the sink's tables.
struct Database {
  Database() : name(Server::instance().make_database()), sql(Server::instance().uri(name)) {}
  std::string count() { return sql.value("SELECT count(*) FROM heartbeats"); }
  // "customer time_us heart_rate flags received_us" of every row, in the key's order.
  std::vector<std::string> stored() {
    std::vector<std::string> rows;
    for (const auto& row : sql.rows(
             "SELECT customer_id || ' ' || (extract(epoch FROM time) * 1000000)::bigint || ' ' || heart_rate || ' ' || "
             "flags || ' ' || (extract(epoch FROM received_at) * 1000000)::bigint FROM heartbeats "
             "ORDER BY customer_id, time")) {
      rows.push_back(row[0]);
    }
    return rows;
  }
  // "customer time_us heart_rate" of heartrate_data.
  std::vector<std::string> shown() {
    std::vector<std::string> rows;
    for (const auto& row :
         sql.rows("SELECT customer_id || ' ' || (extract(epoch FROM time) * 1000000)::bigint || ' ' || heart_rate "
                  "FROM heartrate_data ORDER BY customer_id")) {
      rows.push_back(row[0]);
    }
    return rows;
  }
  std::string name;
  Sql sql;
};

inline std::string as_stored(const hb::Reading& r) {
  return std::string(r.customer_id) + ' ' + std::to_string(r.time_us) + ' ' + std::to_string(r.heart_rate) + ' ' +
         std::to_string(r.flags) + ' ' + std::to_string(r.received_us);
}

// `count` readings of `customers` customers, one a second each, ending at `end`.
inline std::vector<hb::Reading> make_series(std::size_t count, std::size_t customers, std::int64_t end = kNow) {
  std::vector<hb::Reading> readings;
  const auto seconds = static_cast<std::int64_t>((count + customers - 1) / customers);
  for (std::size_t i = 0; i < count; ++i) {
    const auto second = static_cast<std::int64_t>(i / customers);
    readings.push_back(make_reading("c" + std::to_string(i % customers), end - (seconds - second) * kSecond,
                                    static_cast<std::int32_t>(60 + i % 60)));
  }
  return readings;
}

// The status that `body` ends with and its text.
template <class Body>
std::pair<std::int32_t, std::string> outcome_of(const Body& body) {
  try {
    body();
  } catch (const hb::Error& error) {
    return {error.status, error.what()};
  }
  return {HB_OK, ""};
}

}  // namespace postgres_test
