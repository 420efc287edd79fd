// The files of a journal, looked at from outside: what each segment holds, and whether all of it can be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "journal/file_io.hpp"
#include "journal/segment_folder.hpp"

namespace hbagent {

// What one segment holds, found by walking through it.
struct SegmentWalk {
  std::uint64_t first = 0, end = 0;  // positions
  std::uint64_t readings = 0;
  std::int64_t oldest_us = 0, newest_us = 0;  // when written, since the Unix epoch; 0: nothing was
  struct Damage {
    std::uint64_t offset;  // bytes
    std::uint64_t position;
    std::uint64_t readings;
  };
  std::vector<Damage> damages;
};

// Not thread-safe; an agent may be at work in the folder meanwhile. Changes nothing there.
class JournalFolder {
 public:
  // `io` outlives it. Throws std::system_error where the folder cannot be listed.
  JournalFolder(FileIo& io, std::filesystem::path folder);

  const std::filesystem::path& path() const { return folder_; }
  const SegmentFolder& files() const { return found_; }
  FileIo& io() { return io_; }

  // One of files().segments. `superseded_at`: the position where a later one begins; the last one ends where its frames
  // do. Throws std::system_error where the file cannot be read.
  SegmentWalk walk(const SegmentFolder::Segment& segment, std::optional<std::uint64_t> superseded_at);
  std::optional<std::uint64_t> superseded_at(std::size_t index) const;

  struct Verification {
    std::string incomplete;  // which segments are missing, and what to do; empty: none
    std::uint64_t first = 0, end = 0;
    std::uint64_t readings = 0;  // sound ones
    std::uint64_t lost = 0;      // readings in the damaged places
    struct Place {
      std::filesystem::path file;
      SegmentWalk::Damage damage;
    };
    std::vector<Place> places;
  };
  // Walks through all of it. Files that a running agent is done with meanwhile are left out. Throws std::system_error.
  Verification verify();

 private:
  FileIo& io_;
  const std::filesystem::path folder_;
  const SegmentFolder found_;
};

}  // namespace hbagent
