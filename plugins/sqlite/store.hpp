// The open file: stores batches, keeps heartrate_data, deletes what is too old, writes the WAL back. One thread at a
// time. Every function throws SqliteError; what it was doing is undone then, and may be done again.
#pragma once

#include "config.hpp"
#include "database.hpp"
#include "latest.hpp"

#include <hbagent/sdk.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sqlite {

// What is to be said of one reading of a batch that was not plainly stored.
struct Verdict {
  std::uint32_t index;
  std::int32_t verdict;  // HB_VERDICT_REJECT or HB_VERDICT_DUPLICATE
  const char* reason = nullptr;
  std::string detail{};
};

class Store {
 public:
  // Opens the file at this absolute path, makes or migrates it. Throws hb::Failed, too, where it is not ours.
  Store(const Config& config, const std::string& path, hb::Host host);

  // Stores the readings `all[i]` for i in `chosen` in one transaction and appends verdicts for the others than plainly
  // stored. Brings heartrate_data up to date in the same transaction where that is due.
  void write(std::span<const hb::Reading> all, std::span<const std::uint32_t> chosen, std::vector<Verdict>& verdicts);

  // Readings stored but not shown in heartrate_data.
  const Latest& latest() const { return latest_; }
  bool flush_due() const;
  // Shows them.
  void flush_latest();

  // Each of these does a piece of at most some thousands of rows, so that a write waits for a few milliseconds only.
  // True: there is more to do.
  // What writers that ended early, or a write that failed, have left to be shown; looks after opening and a failure.
  bool catch_up_piece();
  // Deletes readings older than `expiry_us`.
  bool delete_piece(std::int64_t expiry_us);
  // Gives free pages back to the file system where they are more than a tenth of the file.
  bool shrink_piece();

  // Writes the WAL back where it has grown. A failure is kept for checkpoint_failure(): what was stored stays stored.
  void checkpoint();
  const std::string& checkpoint_failure() const { return checkpoint_failure_; }
  // Whether the WAL is larger than max_wal, because a reader holds it up.
  bool wal_too_large();
  std::int64_t wal_bytes() const { return wal_pages_ * page_size_; }
  // The file cannot grow beyond: a full disk, for tests.
  void limit_pages(int pages) { database_.run("PRAGMA max_page_count = " + std::to_string(pages)); }
  // Whether the path no longer names the open file. What is in the WAL then belongs to a file of another name, which
  // gets it: SQLite would drop it, or take it for that of the file that has the name now.
  bool moved();

 private:
  static int on_commit(void* self, sqlite3* database, const char* name, int pages);
  void insert(std::span<const hb::Reading> all, std::span<const std::uint32_t> chosen, std::vector<Verdict>& verdicts);
  // How long a lock of another program's is waited for.
  std::chrono::milliseconds patience() const;
  void write_back(bool restart);
  void mark_unflushed();
  void show_latest();
  void give_up_latest();

  const Config& config_;
  const std::string path_;
  hb::Host host_;
  bool hurries_ = false;  // only the WAL is written back
  Database database_;
  const int applied_;  // migrations; done before the statements are prepared
  Statement insert_, mark_, unmark_, show_, show_between_, first_mark_, raise_mark_, piece_end_, catch_up_end_, delete_,
      delete_until_;
  std::int64_t writer_;
  bool catch_up_wanted_ = true;
  Latest latest_;
  std::int64_t page_size_;
  std::int64_t wal_pages_ = 0;        // after the last commit
  std::int64_t checkpointed_at_ = 0;  // wal_pages_ when the last checkpoint ended and could not reset the WAL
  std::string checkpoint_failure_;
};

}  // namespace sqlite
