#include "database.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace sqlite {

Database::Database(const std::string& path, Patience patience) : patience_(std::move(patience)) {
  // A path is a path, also where it begins with "file:" or is ":memory:": the sink has made it absolute.
  const int code = sqlite3_open_v2(path.c_str(), &handle_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (handle_ == nullptr) throw SqliteError(SQLITE_NOMEM, 0, sqlite3_errstr(SQLITE_NOMEM));
  sqlite3_extended_result_codes(handle_, 1);
  if (code != SQLITE_OK) {
    const SqliteError error(sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), sqlite3_errmsg(handle_));
    sqlite3_close_v2(handle_);
    throw error;
  }
  sqlite3_busy_handler(handle_, on_busy, this);
}

int Database::on_busy(void* self, int tries) noexcept {
  using Clock = std::chrono::steady_clock;
  auto& database = *static_cast<Database*>(self);
  if (tries == 0) database.busy_since_ = Clock::now();
  const auto left = database.patience_() - (Clock::now() - database.busy_since_);
  if (left <= Clock::duration::zero()) return 0;
  std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(std::min(1 + tries, 20))));
  return 1;
}

void Database::empty_wal() {
  if (sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) != SQLITE_OK) fail();
}

void Database::run(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

std::int64_t Database::number(const std::string& sql) {
  Statement statement(*this, sql.c_str());
  return statement.next() ? statement.number(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement statement(*this, sql.c_str());
  return statement.next() ? statement.text(0) : std::string();
}

bool Database::moved() {
  int moved = 0;
  return sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

void Database::fail() const {
  throw SqliteError(sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), sqlite3_errmsg(handle_));
}

Statement::Statement(Database& database, const char* sql) : database_(&database) {
  sqlite3_stmt* made = nullptr;
  const int code = sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  statement_.reset(made);
  if (code != SQLITE_OK) database.fail();
}

int Statement::step() noexcept {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return code;
  const int said = sqlite3_reset(statement_.get());
  return code == SQLITE_DONE ? code : said;
}

bool Statement::next() {
  switch (step()) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      database_->fail();
  }
}

void Statement::run() {
  while (next()) {
  }
}

std::string Statement::text(int column) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Transaction::~Transaction() {
  // After some errors SQLITE has rolled back by itself. A failure here leaves nothing to be done: the connection goes.
  if (sqlite3_get_autocommit(database_.handle()) == 0) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace sqlite
