// What a command reads: a file, or standard input.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "journal/file_io.hpp"

namespace hbagent {

// From its beginning to its end, once, as it comes: a pipe's lines are there as soon as they are written. Functions
// throw std::system_error where the operating system refuses, std::length_error beyond kMost. One thread.
class ByteInput {
 public:
  // "-" is standard input.
  explicit ByteInput(const std::filesystem::path& file);

  // The next line without its end, valid until the next call; false: there is none. The last needs no end.
  bool next_line(std::string_view& line);
  // Whether next_line need not wait for anything.
  bool has_line() const { return content_.find('\n', begin_) != std::string::npos; }
  // All that is left.
  std::string rest();
  // "cases.jsonl", "standard input".
  const std::string& name() const { return name_; }

  // Bytes of a line, or of the rest: far more than any payload that a source takes.
  static constexpr std::size_t kMost = 64UL << 20;

 private:
  bool fill();

  std::string name_;
  UniqueFd file_;
  int fd_ = 0;
  std::string content_;    // read, and not all given out
  std::size_t begin_ = 0;  // of what is not
};

}  // namespace hbagent
