// The segments of a journal: appending, making durable, recycling, and finding what is there at the start.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "journal/file_io.hpp"
#include "journal/segment_format.hpp"

namespace hbagent {

// The folder cannot be used as a journal; the text says why and what to do.
struct JournalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One segment's file. Readers may look at what `written` covers while the appender goes on behind it.
struct SegmentFile {
  SegmentFile(const SegmentName& named, std::filesystem::path at)
      : name(named), seed(frame_seed(named.sequence)), path(std::move(at)) {}
  const SegmentName name;
  const std::uint32_t seed;  // of its frames
  std::filesystem::path path;
  UniqueFd fd;                            // open while it is appended to or not yet durable
  std::atomic<std::uint64_t> written{0};  // bytes, header block included
  std::atomic<bool> sealed{false};        // nothing will be appended any more
};

// What a reader needs to know of the segment that holds a position.
struct SegmentView {
  SegmentName name;
  std::filesystem::path path;
  std::uint64_t bytes = 0;  // nothing at or behind this offset is to be read
  std::uint64_t end = 0;    // position at which it ends
};

// [appender]: one thread at a time. [syncer]: one thread at a time. The rest: any thread.
class SegmentLog {
 public:
  struct Settings {
    std::filesystem::path folder;    // exists
    std::uint64_t segment_size = 0;  // bytes, a multiple of 4096
    std::size_t max_segments = 0;    // at least 2
  };
  // Finds the segments, the end of the newest, and the source names. Throws JournalError or std::system_error.
  SegmentLog(FileIo& io, Settings settings);

  std::uint64_t journal_id() const { return journal_id_; }  // 0: no header that is left says it
  void set_journal_id(std::uint64_t id) { journal_id_ = id; }
  // What the start found.
  std::uint64_t torn_bytes() const { return torn_bytes_; }  // cut off behind the last complete frame
  bool is_new() const { return is_new_; }

  // Adds a source's name to the table that every segment carries, so that `source_name` knows it. Throws JournalError
  // where another name has the same id, or the table is full.
  void add_source(const std::string& name);
  std::string source_name(std::uint32_t id) const;

  // [appender] Whether `readings` more fit into the newest segment.
  bool fits(std::size_t readings) const;
  // Whether another segment may be started within the bound.
  bool may_grow() const;
  // Whether an append of so many readings fits, in frames as small as they can be; another thread may append. [any
  // thread]
  bool has_spare_room(std::size_t readings) const;
  // [appender] Starts a segment whose first reading has this position. Throws std::system_error: nothing changed.
  void start_segment(std::uint64_t position);
  // [appender] Writes readings that fit. They are in the kernel's hands when it returns; when it throws
  // std::system_error, nothing counts.
  void append(std::uint64_t position, std::uint32_t source, std::span<const hb_reading> readings);

  // [syncer] Makes durable all that was appended before the call. When it throws std::system_error, nothing that was
  // not durable before may be trusted to become so: see rewrite.
  void sync();
  // [appender and syncer in one] After a failed sync: writes readings [from, to) again, into new segments, and makes
  // those durable. Returns how many could not be read back. Throws std::system_error: nothing changed.
  std::uint64_t rewrite(std::uint64_t from, std::uint64_t to);

  // The segment that holds a position that was appended; nothing when it is older than all that is kept.
  std::optional<SegmentView> find(std::uint64_t position) const;
  // Recycles or removes the segments that end at or before this position, the newest excepted. `keep_files`: a reader
  // may still have one of them open, so none is written to again. Returns whether there were any.
  bool release(std::uint64_t position, bool keep_files);

  std::uint64_t first() const;                      // the oldest position that is kept
  std::optional<std::uint64_t> oldest_end() const;  // where the oldest segment ends; nothing when it is the newest
  std::uint64_t end() const { return end_; }        // [appender] where the next reading goes
  std::uint64_t used_bytes() const;
  std::uint64_t max_bytes() const { return settings_.max_segments * settings_.segment_size; }
  std::vector<SegmentView> segments() const;
  const std::filesystem::path& folder() const { return settings_.folder; }

 private:
  using File = std::shared_ptr<SegmentFile>;

  void recover();
  void recover_newest();
  void recover_names();
  File make_file(const SegmentName& name, const std::filesystem::path& path);
  void append_to(SegmentFile& file, std::uint64_t position, std::uint32_t source, std::span<const hb_reading> readings,
                 std::size_t& names_written);
  void join_parts(std::uint64_t bytes);
  void publish(const File& file);
  std::filesystem::path path_of(const SegmentName& name) const { return settings_.folder / file_name(name); }
  std::uint64_t end_of(std::size_t index) const;

  FileIo& io_;
  const Settings settings_;
  std::uint64_t journal_id_ = 0;
  std::uint64_t torn_bytes_ = 0;
  bool is_new_ = false;

  // Of the appender.
  std::uint64_t end_ = 0;
  std::size_t names_written_ = 0;     // how many names the newest segment's table has
  File newest_;                       // the last of segments_
  std::vector<FrameHeader> headers_;  // scratch of append_to, kept for its memory
  std::vector<iovec> parts_;
  std::vector<char> small_;

  std::mutex release_mutex_;  // taken before mutex_: one lets go of segments at a time
  mutable std::mutex mutex_;
  std::vector<std::string> names_;  // only ever grows
  std::atomic<std::size_t> names_count_{0};
  std::deque<File> segments_;  // by sequence; the last one is appended to
  std::vector<std::filesystem::path> spares_;
  std::vector<File> unsynced_;
  bool folder_unsynced_ = false;
};

}  // namespace hbagent
