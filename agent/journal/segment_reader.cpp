#include "journal/segment_reader.hpp"

#include <algorithm>

namespace hbagent {

int SegmentReader::descriptor(const SegmentView& segment) {
  if (!fd_ || open_sequence_ != segment.name.sequence) {
    fd_ = io_.open(segment.path, false);
    open_sequence_ = segment.name.sequence;
  }
  return fd_.get();
}

FrameScanner::Start SegmentReader::best_start(const SegmentView& segment, std::uint64_t position) const {
  FrameScanner::Start best{kHeaderBlock, segment.name.first};
  for (const Mark& mark : marks_) {
    const bool usable = mark.sequence == segment.name.sequence && mark.start.position <= position;
    if (usable && mark.start.position > best.position) best = mark.start;
  }
  return best;
}

void SegmentReader::remember(const Mark& mark) {
  // It replaces the one that it goes on from, which is the nearest before it.
  const auto distance = [&](const Mark& other) {
    const bool before = other.sequence < mark.sequence ||
                        (other.sequence == mark.sequence && other.start.position <= mark.start.position);
    return before ? std::pair(other.sequence, other.start.position) : std::pair(std::uint64_t{0}, std::uint64_t{0});
  };
  *std::max_element(marks_.begin(), marks_.end(),
                    [&](const Mark& a, const Mark& b) { return distance(a) < distance(b); }) = mark;
}

void SegmentReader::read(PositionSpan span, const Sinks& out) {
  while (span.begin < span.end) {
    const auto segment = log_.find(span.begin);
    if (segment) {
      span.begin = read_segment(*segment, {span.begin, std::min(span.end, segment->end)}, out);
      continue;
    }
    const std::uint64_t next = std::min(span.end, log_.first());
    out.dropped(next - span.begin);
    span.begin = next;
  }
}

std::uint64_t SegmentReader::read_segment(const SegmentView& segment, PositionSpan span, const Sinks& out) {
  const std::uint64_t sequence = segment.name.sequence;
  FrameScanner scanner(io_, descriptor(segment), segment.path, sequence, best_start(segment, span.begin),
                       segment.bytes);
  std::uint64_t damage_offset = 0;  // of damage whose loss is not yet known
  const auto lose_up_to = [&](std::uint64_t position) {
    if (position == span.begin && damage_offset == 0) return;
    out.damage({sequence, damage_offset == 0 ? scanner.offset() : damage_offset, span.begin, position - span.begin,
                segment.path});
    span.begin = position;
    damage_offset = 0;
  };
  while (span.begin < span.end) {
    const auto kind = scanner.next();
    if (kind == FrameScanner::Kind::end) break;
    if (kind == FrameScanner::Kind::damaged) {
      damage_offset = scanner.offset();
      continue;
    }
    const FrameHeader& frame = scanner.header();
    const std::uint64_t frame_end = frame.position + frame.count;
    if (frame.count == 0 || frame_end <= span.begin) {
      damage_offset = 0;  // what was damaged lies before what is wanted
      continue;
    }
    if (frame.position >= span.end) break;
    lose_up_to(std::max(span.begin, frame.position));
    const std::uint64_t end = std::min(frame_end, span.end);
    const auto skip = static_cast<std::size_t>(span.begin - frame.position);
    out.readings(frame.source, {scanner.readings() + skip, static_cast<std::size_t>(end - span.begin)});
    span.begin = end;
    if (end < frame_end) {
      remember({sequence, {scanner.offset(), frame.position}});
    } else {
      remember({sequence, {scanner.next_offset(), scanner.next_position()}});
    }
  }
  if (span.begin < span.end) lose_up_to(span.end);
  return span.end;
}

}  // namespace hbagent
