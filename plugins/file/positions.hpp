// How far each file has been read, kept across restarts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hb::file {

// Tells a file from another one that took its name or its inode: a hash of its first bytes.
struct Fingerprint {
  static constexpr std::size_t kMaxSize = 512;
  std::uint32_t size = 0;  // bytes covered; 0 matches every file
  std::uint64_t hash = 0;
  bool operator==(const Fingerprint&) const = default;
};

Fingerprint fingerprint(std::string_view first_bytes);
// Of the file's first min(limit, kMaxSize) bytes. Throws std::system_error.
Fingerprint fingerprint(int fd, std::uint64_t limit);
// Whether the file still begins with the bytes that `of` covers. Throws std::system_error.
bool matches(int fd, const Fingerprint& of);
// Whether the file can be one that was read up to `offset` and began like this then: it reaches that far and begins
// with the same bytes. A start that covers less than was read, as of a file that was cut in that moment, is no file's.
// Throws std::system_error.
bool can_be(int fd, std::uint64_t offset, const Fingerprint& start);

// Everything before `offset` of this file is done with.
struct Position {
  std::string path;  // the newest known one
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  std::uint64_t lines = 0;  // lines before offset
  Fingerprint start;
  bool operator==(const Position&) const = default;
};

// One text file in the instance's state folder, replaced as a whole: a crash leaves the old or the new one.
class PositionStore {
 public:
  // An empty folder name: nothing is kept.
  explicit PositionStore(std::string_view folder);

  // Throws std::system_error when it cannot be read and std::runtime_error when it is damaged; none yet is empty.
  std::vector<Position> load() const;
  // When it returns, the positions survive power loss. Throws std::system_error; the old ones are then kept.
  void save(std::span<const Position> positions) const;
  // Puts a damaged file aside. Returns its new name.
  std::string put_aside() const;

 private:
  std::string path_;
};

}  // namespace hb::file
