// What a start finds: which segments there are, where the newest one ends, whose readings they hold.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <system_error>

#include "journal/frame_scanner.hpp"
#include "journal/segment_folder.hpp"
#include "journal/segment_log.hpp"

namespace hbagent {

SegmentLog::SegmentLog(FileIo& io, Settings settings) : io_(io), settings_(std::move(settings)) {
  recover();
}

void SegmentLog::recover() {
  const SegmentFolder found = list_segments(settings_.folder);
  if (!found.segments.empty()) journal_id_ = check_headers(io_, found);
  check_complete(io_, found, settings_.folder);
  for (const auto& leftover : found.leftovers) io_.remove(leftover);
  bool changed = !found.leftovers.empty();
  for (const auto& segment : found.segments) {
    if (segment.path == path_of(segment.name)) continue;
    io_.rename(segment.path, path_of(segment.name));
    changed = true;
  }
  if (changed) io_.sync_folder(settings_.folder);
  for (const auto& spare : found.spares) {
    const bool fits = std::filesystem::file_size(spare) == settings_.segment_size && spares_.empty();
    fits ? spares_.push_back(spare) : io_.remove(spare);
  }
  is_new_ = found.segments.empty();
  if (is_new_) {
    std::random_device random;
    journal_id_ = (std::uint64_t{random()} << 32) | random() | 1;
    start_segment(0);
    io_.sync_folder(settings_.folder);  // a cursor without any segment tells that they were lost
    return;
  }
  for (const auto& segment : found.segments) {
    auto file = std::make_shared<SegmentFile>(segment.name, path_of(segment.name));
    file->written = segment.bytes;
    file->sealed = true;
    segments_.push_back(std::move(file));
  }
  recover_names();
  names_count_ = names_.size();
  recover_newest();
}

void SegmentLog::recover_newest() {
  newest_ = segments_.back();
  SegmentFile& newest = *newest_;
  newest.fd = io_.open(newest.path, false);
  FrameScanner scanner(io_, newest.fd.get(), newest.path, newest.name.sequence, {kHeaderBlock, newest.name.first},
                       newest.written);
  std::uint64_t end = kHeaderBlock;
  end_ = newest.name.first;
  std::uint64_t attempted = end;  // behind everything that looks like a frame
  for (auto kind = scanner.next(); kind != FrameScanner::Kind::end; kind = scanner.next()) {
    attempted = scanner.next_offset();
    if (kind != FrameScanner::Kind::frame) continue;
    end = scanner.next_offset();
    end_ = scanner.next_position();
  }
  torn_bytes_ = attempted - end;
  newest.sealed = false;
  newest.written = end;
  if (end == kHeaderBlock) {
    // It was just being made, or holds nothing: made again, in place.
    SegmentHeader header = make_segment_header(journal_id_, newest.name, 0);
    const iovec part{&header, sizeof header};
    io_.allocate(newest.fd.get(), settings_.segment_size, newest.path);
    io_.write(newest.fd.get(), {&part, 1}, 0, newest.path);
    io_.write(newest.fd.get(), {&part, 1}, kHeaderCopy, newest.path);
  }
  unsynced_.push_back(newest_);
  folder_unsynced_ = true;
}

void SegmentLog::recover_names() {
  // Each segment begins with the table, and a later one knows all that an earlier one did. Where the newest ones hold
  // none that can be read, a few before them will do: names are for people, and configured sources bring theirs.
  constexpr std::size_t kSegments = 4;
  constexpr std::uint64_t kFront = kHeaderBlock + 2 * (sizeof(FrameHeader) + kMaxPayload);
  const std::size_t last = segments_.size() - std::min(segments_.size(), kSegments);
  for (std::size_t i = segments_.size(); i-- > last && names_.empty();) {
    const SegmentFile& file = *segments_[i];
    const UniqueFd fd = io_.open(file.path, false);
    const bool newest = i + 1 == segments_.size();
    FrameScanner scanner(io_, fd.get(), file.path, file.name.sequence, {kHeaderBlock, file.name.first},
                         newest ? file.written.load() : std::min<std::uint64_t>(file.written, kFront));
    for (auto kind = scanner.next(); kind != FrameScanner::Kind::end; kind = scanner.next()) {
      if (kind == FrameScanner::Kind::frame && scanner.header().count == 0) names_ = decode_names(scanner.payload());
    }
  }
}

}  // namespace hbagent
