// Dead letters as text for a terminal: whatever they hold, it does nothing to it (visible_text.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dead_letter_line.hpp"

namespace hbagent {

// One line a letter, under a header: id, time, source, who refused it, reason, origin, size of the payload.
class LetterTable {
 public:
  void add(const StoredLetter& letter);
  // Columns that are empty in all rows are left out; origins lose their beginning where a line would be longer than
  // `width` cells otherwise.
  std::string text(std::size_t width) const;
  std::size_t size() const { return rows_.size(); }
  // "3 letters: 2 check_violation, 1 bad_json"
  std::string summary() const;

 private:
  static constexpr std::size_t kColumns = 7;
  std::vector<std::array<std::string, kColumns>> rows_;
  std::map<std::string, std::uint64_t> reasons_;
};

// All of one letter; a payload that is no text as a hex dump.
std::string letter_text(const StoredLetter& letter);

// "812 B", "3.5 MiB"
std::string size_text(std::uint64_t bytes);

}  // namespace hbagent
