#include "journal/journal_folder.hpp"

#include <algorithm>
#include <system_error>

#include "journal/frame_scanner.hpp"
#include "journal/segment_log.hpp"

namespace hbagent {

JournalFolder::JournalFolder(FileIo& io, std::filesystem::path folder)
    : io_(io), folder_(std::move(folder)), found_(list_segments(folder_)) {}

SegmentWalk JournalFolder::walk(const SegmentFolder::Segment& segment, std::optional<std::uint64_t> superseded_at) {
  const auto& path = segment.path;
  const UniqueFd fd = io_.open(path, false);
  FrameScanner scanner(io_, fd.get(), path, segment.name.sequence, {kHeaderBlock, segment.name.first}, segment.bytes);
  SegmentWalk walk;
  walk.first = walk.end = segment.name.first;
  std::uint64_t damage = 0;  // where it begins; 0, the header's place: none
  const auto note = [&](std::uint64_t position) {
    if (damage == 0 && position == walk.end) return;
    walk.damages.push_back({damage == 0 ? scanner.offset() : damage, walk.end, position - walk.end});
    damage = 0;
  };
  for (auto kind = scanner.next(); kind != FrameScanner::Kind::end; kind = scanner.next()) {
    if (kind == FrameScanner::Kind::damaged) {
      damage = scanner.offset();
      continue;
    }
    const FrameHeader& frame = scanner.header();
    if (superseded_at && frame.position >= *superseded_at) break;
    note(frame.position);
    walk.end = frame.position + frame.count;
    walk.readings += frame.count;
    if (walk.oldest_us == 0) walk.oldest_us = frame.written_us;
    walk.newest_us = frame.written_us;
  }
  if (superseded_at && walk.end < *superseded_at) {
    note(*superseded_at);
    walk.end = *superseded_at;
  }
  return walk;
}

std::optional<std::uint64_t> JournalFolder::superseded_at(std::size_t index) const {
  std::optional<std::uint64_t> end;
  for (std::size_t later = index + 1; later < found_.segments.size(); ++later) {
    const std::uint64_t first = found_.segments[later].name.first;
    end = std::max(found_.segments[index].name.first, std::min(end.value_or(first), first));
  }
  return end;
}

JournalFolder::Verification JournalFolder::verify() {
  Verification all;
  try {
    check_complete(io_, found_, folder_);
  } catch (const JournalError& error) {
    all.incomplete = error.what();
  }
  const auto& segments = found_.segments;
  if (!segments.empty()) all.first = segments.front().name.first;
  for (const auto& segment : segments) all.first = std::min(all.first, segment.name.first);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& file = segments[i].path;
    SegmentWalk found;
    try {
      found = walk(segments[i], superseded_at(i));
    } catch (const std::system_error&) {
      if (std::filesystem::exists(file)) throw;
      continue;  // a running agent was done with it meanwhile
    }
    if (!found.damages.empty() && !std::filesystem::exists(file)) continue;
    all.readings += found.readings;
    all.end = found.end;
    for (const SegmentWalk::Damage& damage : found.damages) {
      all.places.push_back({file, damage});
      all.lost += damage.readings;
    }
  }
  return all;
}

}  // namespace hbagent
