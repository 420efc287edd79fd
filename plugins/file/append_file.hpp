// A file that whole lines are appended to: never a half-written one, rotated by size, reopened when it was moved away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "unique_fd.hpp"

namespace hb::file {

class AppendFile {
 public:
  struct Settings {
    std::string path;
    std::string header;          // written at the start of every new file; with its line end, or empty
    std::uint64_t max_size = 0;  // rotated before it would grow beyond; 0: never
    unsigned keep = 0;           // old files kept as path.1 (the newest) to path.keep
    bool sync = false;           // fdatasync after every append
    // Whether a last line without line end is whole; then it is ended, else cut off.
    std::function<bool(std::string_view)> is_whole;
    std::function<void(const std::string&)> note;  // what an operator may want to know
  };

  explicit AppendFile(Settings settings) : settings_(std::move(settings)) {}

  // Opens or makes the file, locks it against other writers and repairs its last line. Throws std::runtime_error.
  void open();
  void close() { fd_.reset(); }

  // Appends `lines`, all or nothing: when it returns they are in the kernel (with sync: on the disk), when it throws
  // std::runtime_error the file ends where it did before, or is put right before anything else is written.
  void append(std::string_view lines);

  std::uint64_t size() const { return size_; }

 private:
  void open_new_or_old();
  void repair_last_line();
  void follow_outside_changes();
  void sync_folder() const;
  void rotate();
  void write_whole(std::string_view bytes);
  [[noreturn]] void fail(const std::string& what) const;

  Settings settings_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;  // where the last good line ends
  bool ragged_ = false;     // bytes beyond size_ could not be cut off yet
};

}  // namespace hb::file
