// The journal on disk: what it has taken survives the end of the process at once, and power loss after the next sync.
#pragma once

#include <map>
#include <thread>

#include "journal/cursor_file.hpp"
#include "journal/file_io.hpp"
#include "journal/folder_lock.hpp"
#include "journal/journal_core.hpp"
#include "journal/segment_log.hpp"
#include "journal/segment_reader.hpp"
#include "log.hpp"

namespace hbagent {

class DiskJournal final : public JournalCore {
 public:
  struct Settings {
    std::filesystem::path folder;  // made where it does not exist; one journal to a folder
    std::uint64_t max_bytes = 0;   // at least kMinBytes
    bool drop_oldest = false;
    std::chrono::microseconds sync_interval{10'000};  // zero: append returns when its readings are durable
  };
  static constexpr std::uint64_t kMinBytes = 2 << 20;

  // Throws JournalError, which says what to do, or std::system_error. Opening takes time by the size of a segment, not
  // by that of the journal.
  DiskJournal(std::unique_ptr<FileIo> io, const Settings& settings, Logger& logger);
  ~DiskJournal() override;
  bool survives_process() const override { return true; }

  std::size_t add_source(const std::string& name) override;
  std::size_t add_sink(const JournalSink& sink) override;
  void remove_sink(std::size_t sink, bool for_good) override;
  using Journal::append;
  AppendResult append(std::size_t source, std::span<const hb_reading> readings, std::uint64_t token, SourceTerms terms,
                      Clock::time_point deadline) override;
  void read(std::size_t sink, std::size_t limit, JournalBatch& batch) override;
  void commit(std::size_t sink, const SinkTerms& terms) override;
  void newest_first(std::size_t sink) override;
  std::string source_name(std::uint32_t source) const override;

 private:
  // What is on disk for one sink, configured or not.
  struct SinkFiles {
    explicit SinkFiles(CursorFile cursor_file) : file(std::move(cursor_file)) {}
    CursorFile file;                    // guarded by files_mutex_
    SinkCursor asleep;                  // of a sink that the configuration does not have
    std::uint64_t gone = 0;             // dropped while it slept, or not there any more; its account when it wakes
    std::vector<std::uint32_t> wanted;  // source ids; empty: all
    std::unique_ptr<SegmentReader> reader;
  };

  void place(Sink& sink) override;
  void cursors_moved() override;
  void fill(Snapshot& view) const override;
  bool has_spare_room() const override {
    return sync_failure_.empty() && Clock::now() >= write_again_at_ &&
           (settings_.drop_oldest || log_.has_spare_room(kSliceReadings));
  }
  std::uint64_t done_by_all() const override;

  void load_cursors();
  void tell_cut_off(const std::string& sink, std::uint64_t reached) const;
  std::uint64_t clamp(const std::string& sink, SinkCursor& cursor) const;  // how many readings are gone
  // Of the source whose turn it is. False while a failed sync is being mended: the log is another thread's then.
  bool has_room(std::size_t readings) const {
    return sync_failure_.empty() && (log_.fits(readings) || log_.may_grow());
  }
  // Waits until the readings may be written; false: not by `deadline`, or the source is stopped.
  bool make_room(std::unique_lock<std::mutex>& lock, const Source& source, std::size_t readings,
                 Clock::time_point deadline);
  // Lets go of the lock on mutex_ meanwhile. False with `error` set: nothing was written.
  bool write(std::unique_lock<std::mutex>& lock, Source& source, std::span<const hb_reading> readings,
             std::uint64_t token, const SourceTerms& terms, std::string& error);
  bool drop_oldest();
  // Without mutex_: writes where the sinks stand; `durable` waits for the disk.
  void store_cursors(bool durable);
  void note_cursor_failure(const std::string& error);
  void note_failure(std::string& failure, const std::string& error);
  void clear_failure(std::string& failure);
  void note_damage(const SegmentReader::Damage& damage);

  void wake_sync();  // where it waits for something to do, not where it waits for a group to be complete
  void sync_thread();
  void sync_round(std::unique_lock<std::mutex>& lock);
  void release_done(std::unique_lock<std::mutex>& lock, std::uint64_t done);
  std::vector<std::uint64_t> last_tokens() const;  // by source
  void ack(const std::vector<std::uint64_t>& tokens);
  void recover_from_failed_sync(std::unique_lock<std::mutex>& lock, const std::string& error);

  std::unique_ptr<FileIo> io_;
  const Settings settings_;
  FolderLock folder_lock_;
  SegmentLog log_;

  // Taken in this order: write_mutex_, files_mutex_, mutex_.
  std::mutex write_mutex_;  // whoever writes to the newest segment
  std::mutex files_mutex_;  // cursor files

  // Guarded by mutex_.
  std::map<std::string, std::unique_ptr<SinkFiles>> files_;  // by the sink's name; never shrinks while it runs
  std::map<std::string, bool> awake_;
  std::uint64_t synced_ = 0;
  std::string write_failure_, sync_failure_, cursor_failure_;
  Clock::time_point write_again_at_{};                                       // after a failed write
  std::map<std::pair<std::uint64_t, std::uint64_t>, PositionSpan> damages_;  // (sequence, offset): what is lost
  bool ending_ = false;
  bool sync_idle_ = false;
  bool release_wanted_ = false;
  bool token_waits_ = false;  // an emit without readings waits for its ack
  std::condition_variable sync_wake_, synced_changed_;

  std::thread thread_;
};

}  // namespace hbagent
