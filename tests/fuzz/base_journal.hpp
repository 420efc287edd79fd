// Small journals that the journal's own code has made, and what is known of them: where damage begins.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "journal/segment_format.hpp"

namespace hbagent {

using Files = std::map<std::string, std::string>;  // content by name

struct BaseJournal {
  struct Frame {
    std::string file;
    std::uint64_t offset = 0, size = 0;  // bytes
    FrameHeader header{};                // `count` is 0 for a table of names
  };
  Files files;
  std::vector<Frame> frames;         // those of the segments that count, in order
  std::vector<hb_reading> readings;  // by position from `first` on; `time_us` is the position
  std::vector<std::uint32_t> sources;
  std::uint64_t first = 0;
};

// The reading that stands at a position.
hb_reading reading_at(std::uint64_t position);

inline constexpr const char* kOldSink = "old";  // has a cursor in every base journal, with a backlog in some

// The same at every call: one segment; several; and several of which the newest was used before.
const std::vector<BaseJournal>& base_journals();

}  // namespace hbagent
