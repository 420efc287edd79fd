// What SQLite itself can do with the same rows: the baseline of the sqlite sink.
//
//   bench_baseline_sqlite FILE ROWS CUSTOMERS BATCH SYNCHRONOUS
//
// FILE is a database in WAL mode that has the sink's tables. Inserts ROWS rows into heartbeats, in order of time and of
// as many customers, by one prepared INSERT; a transaction for each BATCH rows; PRAGMA synchronous = SYNCHRONOUS. All
// else is as SQLite has it by default. The clock runs from before the file is opened until it is closed, so it includes
// the last checkpoint. Prints one line of JSON.
#include <sqlite3.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "clocks.h"

namespace {

void check(sqlite3* database, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return;
  std::fprintf(stderr, "%s\n", sqlite3_errmsg(database));
  std::exit(1);
}

void run(sqlite3* database, const std::string& sql) {
  check(database, sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr));
}

void insert(sqlite3* database, std::int64_t rows, const std::vector<std::string>& customers, std::int64_t batch) {
  sqlite3_stmt* statement = nullptr;
  check(database, sqlite3_prepare_v3(database,
                                     "INSERT INTO heartbeats (customer_id, time, heart_rate, flags, received_at) "
                                     "VALUES (?, ?, ?, ?, ?)",
                                     -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  constexpr std::int64_t kStart = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
  const auto count = static_cast<std::int64_t>(customers.size());
  for (std::int64_t row = 0; row < rows; ++row) {
    if (row % batch == 0) run(database, row == 0 ? "BEGIN IMMEDIATE" : "COMMIT; BEGIN IMMEDIATE");
    const std::string& id = customers[static_cast<std::size_t>(row % count)];
    const std::int64_t time = kStart + row * 1'000'000 / count;
    sqlite3_bind_text(statement, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, time);
    sqlite3_bind_int(statement, 3, static_cast<int>(60 + row % 60));
    sqlite3_bind_int(statement, 4, 0);
    sqlite3_bind_int64(statement, 5, time);
    check(database, sqlite3_step(statement));
    check(database, sqlite3_reset(statement));
  }
  run(database, "COMMIT");
  sqlite3_finalize(statement);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: bench_baseline_sqlite FILE ROWS CUSTOMERS BATCH SYNCHRONOUS\n");
    return 2;
  }
  const std::int64_t rows = std::atoll(argv[2]);
  std::vector<std::string> customers;
  for (long i = 0; i < std::atol(argv[3]); ++i) {
    char id[32];
    std::snprintf(id, sizeof id, "customer_%05ld", i + 1);
    customers.emplace_back(id);
  }
  if (customers.empty() || std::atoll(argv[4]) < 1) return 2;

  const double wall = wall_seconds();
  const double cpu = cpu_seconds();
  sqlite3* database = nullptr;
  check(database, sqlite3_open_v2(argv[1], &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr));
  run(database, std::string("PRAGMA synchronous = ") + argv[5]);
  insert(database, rows, customers, std::atoll(argv[4]));
  check(database, sqlite3_close(database));
  std::printf("{\"wall_seconds\": %.6f, \"cpu_seconds\": %.6f}\n", wall_seconds() - wall, cpu_seconds() - cpu);
  return 0;
}
