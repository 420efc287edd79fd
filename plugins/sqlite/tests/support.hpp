// What the tests share: a file of their own, sinks on it, and what is stored there.
#pragma once

#include <hbagent/testing.hpp>

#include "database.hpp"
#include "sqlite_sink.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sqlite_test {

using hb::testing::make_reading;
using hb::testing::RecordedVerdict;
using hb::testing::TestBatch;
using hb::testing::TestHost;
using sqlite::Config;
using sqlite::SqliteSink;

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kDay = 86'400 * kSecond;
// The clock of the tests' hosts: 2026-11-20T12:00:00Z.
inline constexpr std::int64_t kNow = 1'795'176'000 * kSecond;

// A folder with the path of a database, and a look at it from another connection.
struct File {
  TemporaryFolder folder;
  std::string path = (folder.path() / "heartbeats.db").string();
  Config config() const {
    Config config;
    config.path = path;
    config.timeout = std::chrono::milliseconds(200);
    return config;
  }
  static std::chrono::milliseconds patience() { return std::chrono::seconds(5); }
  sqlite::Database open() const { return {path, patience}; }
  void run(const std::string& sql) const { open().run(sql); }
  // The rows' first column.
  std::vector<std::string> rows(const std::string& sql) const {
    sqlite::Database database(path, patience);
    sqlite::Statement statement(database, sql.c_str());
    std::vector<std::string> found;
    while (statement.next()) found.push_back(statement.text(0));
    return found;
  }
  std::string value(const std::string& sql) const { return rows(sql).at(0); }
  std::string count() const { return value("SELECT count(*) FROM heartbeats"); }
  // "customer time_us heart_rate flags received_us" of every row, by customer.
  std::vector<std::string> stored() const {
    return rows(
        "SELECT customer_id || ' ' || time || ' ' || heart_rate || ' ' || flags || ' ' || received_at FROM heartbeats "
        "ORDER BY customer_id, time");
  }
  // "customer time_us heart_rate" of heartrate_data.
  std::vector<std::string> shown() const {
    return rows("SELECT customer_id || ' ' || time || ' ' || heart_rate FROM heartrate_data ORDER BY customer_id");
  }
};

// A sink with its host; the host's clock stands at kNow.
struct TestSink {
  explicit TestSink(const Config& config) {
    host.set_now_us(kNow);
    sink = std::make_unique<SqliteSink>(config, host.host());
  }
  std::vector<RecordedVerdict> write(const std::vector<hb::Reading>& readings) {
    TestBatch batch(readings);
    sink->write(batch.sink_batch());
    std::vector<RecordedVerdict> verdicts;
    for (std::size_t i = 0; i < readings.size(); ++i) verdicts.push_back(batch.verdict(i));
    return verdicts;
  }
  TestHost host;
  std::unique_ptr<SqliteSink> sink;
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

template <class Condition>
void wait_until(const std::string& what, const Condition& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) throw std::runtime_error("waited in vain for " + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace sqlite_test
