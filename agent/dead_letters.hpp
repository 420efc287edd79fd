// What cannot be decoded or stored, kept as JSON lines in a bounded file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "journal/ledger.hpp"

namespace hbagent {

struct DeadLetter {
  std::string_view source;    // the source it came through
  std::string_view instance;  // who refused it: "source/ward-3", "sink/postgres"
  std::string_view reason;
  std::string_view detail;
  std::string_view origin;
  std::string_view payload;  // the original bytes; written as base64 where they are no plain text
};

// Thread-safe. The file and one predecessor (".1") together stay within the bound; when both are full the predecessor
// goes, and the letters in it are counted as evicted.
class DeadLetters {
 public:
  // Opens or creates `file`; a torn last line of a crash is cut off. Throws std::system_error.
  DeadLetters(std::filesystem::path file, std::uint64_t max_bytes);
  ~DeadLetters();
  DeadLetters(const DeadLetters&) = delete;
  DeadLetters& operator=(const DeadLetters&) = delete;

  // When it returns true the letter is in the kernel's hands; false: `error` says why, and nothing was written.
  bool append(const DeadLetter& letter, std::string& error);
  // Makes everything appended so far survive power loss. False: not all of it is safe, now and until the next start:
  // the kernel forgets what it failed to write, so a later success would prove nothing.
  bool sync();

  struct Stats {
    std::uint64_t written = 0;
    std::uint64_t evicted = 0;
    std::uint64_t bytes = 0;
    bool failing = false;  // the last append or sync did not succeed
  };
  Stats stats() const;
  const std::filesystem::path& file() const { return file_; }

 private:
  void open_file();
  void check_file();
  void rotate();
  std::filesystem::path predecessor() const;

  const std::filesystem::path file_;
  const std::uint64_t max_bytes_;
  mutable std::mutex mutex_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t lines_ = 0;              // in the current file
  std::uint64_t predecessor_lines_ = 0;  // in the one before
  std::uint64_t predecessor_size_ = 0;
  bool unsynced_ = false;
  bool sync_failed_ = false;
  Stats stats_;
};

}  // namespace hbagent
