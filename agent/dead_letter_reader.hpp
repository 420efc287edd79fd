// Reads dead letters from their files, also while an agent writes them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "dead_letter_line.hpp"
#include "journal/file_io.hpp"

namespace hbagent {

// The whole lines of a file; what follows the last newline is none. One thread.
class LineScanner {
 public:
  // Reads `fd`, which outlives the scanner, from its beginning; `file` is for errors.
  LineScanner(int fd, const std::filesystem::path& file) : fd_(fd), file_(file) {}

  // Without its end; valid until the next call. False: there is no further line now. Throws std::system_error.
  bool next(std::string_view& line);
  // Behind the last line that was returned.
  std::uint64_t offset() const { return offset_; }

 private:
  bool fill();

  const int fd_;
  const std::filesystem::path file_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;  // no newline before it
  std::uint64_t offset_ = 0;
};

// Letters of a file and its predecessor, oldest first. Keeps seeing the files as they were when it was made, but for
// what is appended. One thread.
class DeadLetterReader {
 public:
  // Files that do not exist hold no letters. Throws std::system_error.
  explicit DeadLetterReader(const std::filesystem::path& file);

  bool next(StoredLetter& letter);
  // As the last letter was written, without its end; valid until the next call.
  std::string_view line() const { return line_; }
  // Lines that are no letters.
  std::uint64_t damaged() const { return damaged_; }

 private:
  std::array<UniqueFd, 2> fds_;
  std::array<std::filesystem::path, 2> paths_;
  std::optional<LineScanner> lines_;
  std::size_t file_ = 0;
  std::string_view line_;
  std::uint64_t last_id_ = 0;
  std::uint64_t damaged_ = 0;
};

}  // namespace hbagent
