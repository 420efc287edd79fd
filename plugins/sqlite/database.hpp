// A connection to a SQLite file, its statements and transactions. One thread at a time.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sqlite {

// What SQLite answered instead of doing it.
struct SqliteError : std::runtime_error {
  SqliteError(int extended_code, int system_error, const std::string& text)
      : std::runtime_error(text), extended(extended_code), system(system_error) {}
  // SQLITE_FULL, SQLITE_BUSY and so on.
  int primary() const { return extended & 0xff; }
  int extended;
  int system;  // errno where the operating system refused, else 0
};

// Everything here throws SqliteError.
class Database {
 public:
  // Opens the file, or makes it in a folder that exists. Whoever finds the write lock taken waits while `patience`
  // returns more than it has waited.
  using Patience = std::function<std::chrono::milliseconds()>;
  Database(const std::string& path, Patience patience);
  // The WAL is written back and deleted where nobody else has the file open.
  ~Database() { sqlite3_close_v2(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  sqlite3* handle() const { return handle_; }
  void run(const std::string& sql);
  // The first column of the first row; 0 and "" where there is none.
  std::int64_t number(const std::string& sql);
  std::string text(const std::string& sql);
  // Whether the file cannot be written, though it could be opened.
  bool read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }
  // Writes all of the WAL into the open file, whatever its path names by now, and empties the WAL. It fails with
  // SQLITE_BUSY while a reader or another writer is in the way.
  void empty_wal();
  // Whether path no longer names the file that is open: it was deleted, moved or replaced.
  bool moved();

  [[noreturn]] void fail() const;

 private:
  static int on_busy(void* self, int tries) noexcept;

  const Patience patience_;
  std::chrono::steady_clock::time_point busy_since_{};
  sqlite3* handle_ = nullptr;
};

// A prepared statement. The database outlives it.
class Statement {
 public:
  Statement(Database& database, const char* sql);

  Statement& bind(int column, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), column, value);
    return *this;
  }
  // `text` stays where it is until the next reset.
  Statement& bind(int column, std::string_view text) {
    sqlite3_bind_text(statement_.get(), column, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }
  // One step; SQLITE_ROW, SQLITE_DONE or the extended code of a failure, which it does not throw. Resets unless ROW.
  int step() noexcept;
  // True: there is a row.
  bool next();
  // Steps to the end.
  void run();
  void reset() noexcept { sqlite3_reset(statement_.get()); }
  std::int64_t number(int column) { return sqlite3_column_int64(statement_.get(), column); }
  std::string text(int column);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Takes the write lock at once, so that nothing fails half-way because of another writer. Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() { database_.run("COMMIT"); }

 private:
  Database& database_;
};

}  // namespace sqlite
