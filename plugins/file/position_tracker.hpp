// Turns acknowledged tokens into stored positions: what a source has emitted is remembered as marks, and a file's
// position moves past a mark once its token is safe.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "positions.hpp"

namespace hb::file {

// How far one file has been read.
struct Mark {
  std::uint64_t offset = 0;
  std::uint64_t lines = 0;
  Fingerprint start;
};

// Thread-safe: acks come also while the source's thread waits in emit.
class PositionTracker {
 public:
  using FileIndex = std::size_t;
  static constexpr std::chrono::seconds kSaveInterval{1};

  // `resume` false: stored positions are neither used nor written.
  PositionTracker(Host host, bool resume);

  // Reads the store at the first call. A damaged one is put aside with an error in the log: everything is read again.
  // Throws Retry when it cannot be read.
  void load();

  // The entry of an open file: where to go on reading it, or at its beginning. Throws std::system_error.
  FileIndex enter(std::string_view path, std::uint64_t inode, int fd);
  // The file is no longer read. Its position is kept for when it is found again.
  void leave(FileIndex file);
  Mark emitted(FileIndex file) const;
  void renamed(FileIndex file, std::string_view path);
  // Where reading of files stopped, safe or not, that had this path when they were last seen and are not open now.
  std::vector<Position> left_under(std::string_view path) const;

  // The file has been emitted up to `mark` with this token.
  void emitted_up_to(FileIndex file, const Mark& mark, std::uint64_t token);
  // Moves the positions up to what is acked, and stores them where they changed: once an interval, or now. A store that
  // cannot be written is logged and tried again: it costs repetition after a restart, not readings.
  void commit(bool now);

  // For tests and memory bounds: marks that wait for their token.
  std::size_t waiting() const;

 private:
  struct File {
    Position acked;
    Mark emitted;
    bool open = false;
  };
  struct Waiting {
    std::uint64_t token;
    FileIndex file;
    Mark mark;
  };

  // All of them with the mutex held.
  std::optional<FileIndex> find(std::string_view path, std::uint64_t inode, int fd) const;
  FileIndex free_entry();
  void thin_out();
  void save();

  Host host_;
  mutable std::mutex mutex_;  // guards what follows
  bool loaded_ = false;
  bool changed_ = false;
  PositionStore store_;
  std::vector<File> files_;
  std::deque<Waiting> waiting_;
  std::chrono::steady_clock::time_point saved_at_{};
};

}  // namespace hb::file
