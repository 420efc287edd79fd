// Where the generator stands, kept over restarts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace generator {

struct Position {
  std::int64_t first = 0;  // index of the first reading of all runs
  std::int64_t next = 0;   // index of the first that is not safe yet
  bool operator==(const Position&) const = default;
};

class PositionFile {
 public:
  // `series` names what the indexes count (seed, customers, interval, start): a file of another series does not count.
  PositionFile(std::string_view folder, std::string series);

  // Nothing where there is no file, or one of another series, or a damaged one; `why` then says so, or is empty.
  std::optional<Position> load(std::string& why) const;
  // Replaces the file as a whole: after a crash it is the old or the new one. Throws hb::Retry.
  void store(const Position& position) const;

 private:
  std::string path_;
  std::string series_;
};

}  // namespace generator
