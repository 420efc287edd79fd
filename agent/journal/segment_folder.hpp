// The files in a journal's folder, as a start or a command finds them.
#pragma once

#include <vector>

#include "journal/file_io.hpp"
#include "journal/segment_format.hpp"

namespace hbagent {

struct SegmentFolder {
  struct Segment {
    SegmentName name;
    std::uint64_t bytes = 0;     // size of the file
    std::filesystem::path path;  // has another name while a rewriting that is complete was cut short in its renames
  };
  std::vector<Segment> segments;                 // by sequence
  std::vector<std::filesystem::path> spares;     // free files to be used again
  std::vector<std::filesystem::path> leftovers;  // of a rewriting that did not come to its end
};

// Throws std::system_error. Other files are none of the journal's business.
SegmentFolder list_segments(const std::filesystem::path& folder);

// Throws JournalError, which says what to do, when segments are missing between others, or all of them while a cursor
// tells that there were some.
void check_complete(FileIo& io, const SegmentFolder& found, const std::filesystem::path& folder);

// The journal's id, from a header that is sound; 0 where none is, or none says it. Throws JournalError when the oldest
// and the newest segment are not of the same journal, or of another version of the format.
std::uint64_t check_headers(FileIo& io, const SegmentFolder& found);

// The header of a segment or its copy, whichever is sound.
std::optional<SegmentHeader> read_header(FileIo& io, int fd, const std::filesystem::path& file);

}  // namespace hbagent
