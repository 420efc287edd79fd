// Reads spans of positions out of the segments, for one sink.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "journal/frame_scanner.hpp"
#include "journal/segment_log.hpp"
#include "journal/sink_cursor.hpp"

namespace hbagent {

// Not thread-safe; others may append, sync and release meanwhile, but nothing at or behind the span's begin.
class SegmentReader {
 public:
  // Where bytes were found that are no frame, and how many readings are lost with them.
  struct Damage {
    std::uint64_t sequence = 0;
    std::uint64_t offset = 0;  // bytes
    std::uint64_t position = 0;
    std::uint64_t readings = 0;
    std::filesystem::path file;
  };
  struct Sinks {
    // Readings of one source, in order.
    std::function<void(std::uint32_t source, std::span<const hb_reading>)> readings;
    std::function<void(const Damage&)> damage;
    // How many readings were in segments that were dropped meanwhile.
    std::function<void(std::uint64_t)> dropped;
  };

  SegmentReader(FileIo& io, const SegmentLog& log) : io_(io), log_(log) {}

  // Every position of the span is either among the readings, or lost in a damage, or dropped. Throws std::system_error.
  void read(PositionSpan span, const Sinks& out);

 private:
  // A frame's place, so that the next read need not begin at the front of the segment.
  struct Mark {
    std::uint64_t sequence = 0;
    FrameScanner::Start start;
  };

  std::uint64_t read_segment(const SegmentView& segment, PositionSpan span, const Sinks& out);
  int descriptor(const SegmentView& segment);
  FrameScanner::Start best_start(const SegmentView& segment, std::uint64_t position) const;
  void remember(const Mark& mark);

  FileIo& io_;
  const SegmentLog& log_;
  UniqueFd fd_;
  std::uint64_t open_sequence_ = 0;
  std::array<Mark, 2> marks_{};  // of the live readings and of the backlog
};

}  // namespace hbagent
