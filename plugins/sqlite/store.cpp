#include "store.hpp"

#include "schema.hpp"

#include <random>

namespace sqlite {
namespace {

constexpr int kRowsInPiece = 5000;
constexpr int kPagesInPiece = 500;
// Pages free in a file up to which nothing is given back: new readings fill them.
constexpr std::int64_t kFreePagesKept = 128;
// Customers that wait for heartrate_data before it is brought up to date at once.
constexpr std::size_t kPendingCustomers = 50'000;
// How much the WAL grows between two checkpoints: 16 MiB in pages of 8 KiB, so that a page which is written again and
// again is written back once.
constexpr std::int64_t kCheckpointPages = 2000;
constexpr std::chrono::milliseconds kHurry{100};
constexpr std::chrono::milliseconds kStopPatience{1000};

constexpr const char* kInsert =
    "INSERT INTO heartbeats (customer_id, time, heart_rate, flags, received_at) VALUES (?1, ?2, ?3, ?4, ?5) "
    "ON CONFLICT DO NOTHING";
constexpr const char* kMark =
    "INSERT INTO heartbeat_unflushed (writer, low, high) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET low = excluded.low, high = excluded.high";
// What is shown never moves backwards.
constexpr const char* kShow =
    "INSERT INTO heartrate_data (customer_id, heart_rate, time) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET heart_rate = excluded.heart_rate, time = excluded.time WHERE excluded.time > time";
// Beside a lone max(), SQLite takes the other columns from the row that has it.
constexpr const char* kShowBetween =
    "INSERT INTO heartrate_data (customer_id, heart_rate, time) "
    "SELECT customer_id, heart_rate, max(time) FROM heartbeats WHERE time BETWEEN ?1 AND ?2 GROUP BY customer_id "
    "ON CONFLICT DO UPDATE SET heart_rate = excluded.heart_rate, time = excluded.time WHERE excluded.time > time";
constexpr const char* kPieceEnd =
    "SELECT time, customer_id FROM heartbeats WHERE time < ?1 ORDER BY time, customer_id LIMIT 1 OFFSET ?2";
constexpr const char* kCatchUpEnd =
    "SELECT time FROM heartbeats WHERE time BETWEEN ?1 AND ?2 ORDER BY time LIMIT 1 OFFSET ?3";

std::int64_t random_writer() {
  std::random_device random;
  return static_cast<std::int64_t>((std::uint64_t{random()} << 32 | random()) >> 1);
}

const char* reason_of(int code) {
  if (code == SQLITE_CONSTRAINT_CHECK) return "check_violation";
  if (code == SQLITE_CONSTRAINT_NOTNULL) return "not_null_violation";
  return "refused_by_database";
}

// Journal mode and schema before anything is prepared.
int set_up(Database& database, const Config& config, const std::string& path, hb::Host host) {
  if (database.read_only()) throw SqliteError(SQLITE_READONLY, 0, "attempt to write a readonly database");
  const int applied = migrate(database, path, migrations());
  if (applied > 0) {
    host.info(path + ": schema migrated to version " + std::to_string(migrations().back().version));
  }
  // In WAL mode, NORMAL syncs at checkpoints alone, FULL after each transaction as well.
  database.run(config.synchronous == Synchronous::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  database.run("PRAGMA journal_size_limit = " + std::to_string(64LL << 20));
  if (config.customer_index) {
    database.run("CREATE INDEX IF NOT EXISTS heartbeats_customer ON heartbeats (customer_id, time)");
  }
  return applied;
}

}  // namespace

Store::Store(const Config& config, const std::string& path, hb::Host host)
    : config_(config),
      path_(path),
      host_(host),
      database_(path, [this] { return patience(); }),
      applied_(set_up(database_, config_, path_, host_)),
      insert_(database_, kInsert),
      mark_(database_, kMark),
      unmark_(database_, "DELETE FROM heartbeat_unflushed WHERE writer = ?1"),
      show_(database_, kShow),
      show_between_(database_, kShowBetween),
      first_mark_(database_, "SELECT writer, low, high FROM heartbeat_unflushed WHERE writer <> ?1 LIMIT 1"),
      raise_mark_(database_, "UPDATE heartbeat_unflushed SET low = ?2 WHERE writer = ?1"),
      piece_end_(database_, kPieceEnd),
      catch_up_end_(database_, kCatchUpEnd),
      delete_(database_, "DELETE FROM heartbeats WHERE time < ?1"),
      delete_until_(database_, "DELETE FROM heartbeats WHERE (time, customer_id) < (?1, ?2)"),
      writer_(random_writer()),
      page_size_(database_.number("PRAGMA page_size")) {
  sqlite3_wal_hook(database_.handle(), on_commit, this);  // instead of the automatic checkpoint
}

int Store::on_commit(void* self, sqlite3* /*database*/, const char* /*name*/, int pages) {
  static_cast<Store*>(self)->wal_pages_ = pages;
  return SQLITE_OK;
}

void Store::write(std::span<const hb::Reading> all, std::span<const std::uint32_t> chosen,
                  std::vector<Verdict>& verdicts) {
  const auto said = verdicts.size();
  try {
    Transaction transaction(database_);
    insert(all, chosen, verdicts);
    const bool showing = flush_due();
    if (showing) {
      show_latest();
    } else {
      mark_unflushed();
    }
    transaction.commit();
    if (showing) latest_.clear();
  } catch (...) {
    verdicts.resize(said);
    give_up_latest();
    throw;
  }
}

void Store::insert(std::span<const hb::Reading> all, std::span<const std::uint32_t> chosen,
                   std::vector<Verdict>& verdicts) {
  for (const std::uint32_t index : chosen) {
    const hb::Reading& reading = all[index];
    const auto hash = latest_.prefetch(reading);
    insert_.bind(1, hb::customer_id(reading))
        .bind(2, reading.time_us)
        .bind(3, reading.heart_rate)
        .bind(4, reading.flags)
        .bind(5, reading.received_us);
    const int code = insert_.step();
    if (code == SQLITE_DONE) {
      if (sqlite3_changes(database_.handle()) != 0) {
        latest_.add(reading, hash);
      } else {
        verdicts.push_back({index, HB_VERDICT_DUPLICATE});
      }
    } else if ((code & 0xff) == SQLITE_CONSTRAINT) {
      if (sqlite3_get_autocommit(database_.handle()) != 0) {
        throw SqliteError(SQLITE_ERROR, 0, "a trigger rolls back the whole batch; it must use RAISE(ABORT, ...)");
      }
      // Constraints and triggers of the file's owner: the statement alone was undone.
      verdicts.push_back({index, HB_VERDICT_REJECT, reason_of(code), sqlite3_errmsg(database_.handle())});
    } else {
      database_.fail();
    }
  }
}

// In the same transaction as the rows: whatever happens to this process, somebody can show the latest of them.
void Store::mark_unflushed() {
  if (latest_.empty()) return;
  mark_.bind(1, writer_).bind(2, latest_.low()).bind(3, latest_.high()).run();
}

bool Store::flush_due() const {
  if (latest_.empty()) return false;
  return latest_.size() >= kPendingCustomers || Latest::Clock::now() >= latest_.since() + config_.latest_interval;
}

void Store::show_latest() {
  latest_.for_each([this](std::string_view customer, std::int64_t heart_rate, std::int64_t time_us) {
    show_.bind(1, customer).bind(2, heart_rate).bind(3, time_us).run();
  });
  unmark_.bind(1, writer_).run();
}

void Store::flush_latest() {
  if (latest_.empty()) return;
  Transaction transaction(database_);
  show_latest();
  transaction.commit();
  latest_.clear();
}

// It may hold readings of a batch that was undone. Those of the batches before are found by the mark that they left:
// under a new number, it is one of a writer that ended early.
void Store::give_up_latest() {
  latest_.clear();
  writer_ = random_writer();
  catch_up_wanted_ = true;
}

bool Store::catch_up_piece() {
  if (!catch_up_wanted_) return false;
  Transaction transaction(database_);
  if (!first_mark_.bind(1, writer_).next()) {
    catch_up_wanted_ = false;
    return false;
  }
  const auto writer = first_mark_.number(0), low = first_mark_.number(1), high = first_mark_.number(2);
  first_mark_.reset();
  // The mark may be that of another agent at work: showing its readings early does no harm, and it marks what it has
  // not shown with every batch anew.
  auto end = high;
  const bool more = catch_up_end_.bind(1, low).bind(2, high).bind(3, std::int64_t{kRowsInPiece}).next();
  if (more) end = catch_up_end_.number(0);
  catch_up_end_.reset();
  show_between_.bind(1, low).bind(2, end).run();
  if (more && end < high) {
    raise_mark_.bind(1, writer).bind(2, end + 1).run();  // all of that microsecond are shown
  } else {
    unmark_.bind(1, writer).run();
  }
  transaction.commit();
  return true;
}

bool Store::delete_piece(std::int64_t expiry_us) {
  const bool any = piece_end_.bind(1, expiry_us).bind(2, std::int64_t{0}).next();
  piece_end_.reset();
  if (!any) return false;  // without taking the write lock
  const bool more = piece_end_.bind(1, expiry_us).bind(2, std::int64_t{kRowsInPiece}).next();
  const auto time = more ? piece_end_.number(0) : 0;
  const auto customer = more ? piece_end_.text(1) : std::string();
  piece_end_.reset();
  Transaction transaction(database_);
  if (more) {
    delete_until_.bind(1, time).bind(2, std::string_view(customer)).run();
  } else {
    delete_.bind(1, expiry_us).run();
  }
  transaction.commit();
  return more;
}

bool Store::shrink_piece() {
  const auto free = database_.number("PRAGMA freelist_count");
  const auto pages = database_.number("PRAGMA page_count");
  const auto surplus = free - std::max(kFreePagesKept, pages / 10);
  if (surplus <= 0) return false;
  database_.run("PRAGMA incremental_vacuum(" + std::to_string(std::min<std::int64_t>(surplus, kPagesInPiece)) + ")");
  // In a file that was made without auto_vacuum nothing is given back.
  return surplus > kPagesInPiece && database_.number("PRAGMA freelist_count") < free;
}

void Store::checkpoint() {
  if (wal_pages_ < checkpointed_at_) checkpointed_at_ = 0;  // begun anew
  if (wal_pages_ - checkpointed_at_ < kCheckpointPages) return;
  write_back(wal_pages_ >= 4 * kCheckpointPages);
}

// A restart waits for readers, if shortly, so that a steady succession of them cannot make the WAL grow for ever.
void Store::write_back(bool restart) {
  int pages = 0, written = 0;
  hurries_ = true;
  const int code = sqlite3_wal_checkpoint_v2(
      database_.handle(), "main", restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, &pages, &written);
  const std::string failure = code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED
                                  ? ""
                                  : sqlite3_errmsg(database_.handle());
  hurries_ = false;
  checkpoint_failure_ = failure;
  const bool whole = code == SQLITE_OK && pages == written;
  checkpointed_at_ = wal_pages_;
  if (whole && restart) wal_pages_ = checkpointed_at_ = 0;
}

std::chrono::milliseconds Store::patience() const {
  if (hurries_) return std::min(config_.timeout, kHurry);
  return host_.stopping() ? std::min(config_.timeout, kStopPatience) : config_.timeout;
}

bool Store::moved() {
  if (!database_.moved()) return false;
  database_.empty_wal();
  return true;
}

bool Store::wal_too_large() {
  if (wal_bytes() < static_cast<std::int64_t>(config_.max_wal.value)) return false;
  write_back(true);
  return wal_bytes() >= static_cast<std::int64_t>(config_.max_wal.value);
}

}  // namespace sqlite
