#include "base_journal.hpp"

#include <cstring>
#include <fstream>
#include <iterator>

#include "fuzz_file_io.hpp"
#include "journal/cursor_file.hpp"
#include "journal/segment_folder.hpp"
#include "journal/segment_log.hpp"
#include "support/temporary_folder.hpp"

namespace hbagent {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmallSegment = 8192;  // bytes: as little as the format can do with
constexpr std::uint64_t kId = 0x1122334455667788;

// Frames of these many readings, in turn; as many as a segment holds, and more.
constexpr std::size_t kCounts[] = {1, 3, 1, 12, 2, 1, 7, 1};

struct Plan {
  std::size_t appends;
  std::uint64_t released;  // let go of what lies before this position, so that its files are used again
  std::size_t appends_after;
  SinkCursor cursor;
};

void append(SegmentLog& log, std::size_t appends) {
  const std::uint32_t sources[] = {source_id("ward"), source_id("gen")};
  for (std::size_t i = 0; i < appends; ++i) {
    std::vector<hb_reading> readings;
    const std::uint64_t position = log.end();
    for (std::size_t n = 0; n < kCounts[i % std::size(kCounts)]; ++n) readings.push_back(reading_at(position + n));
    if (!log.fits(readings.size())) log.start_segment(position);
    log.append(position, sources[i / 3 % 2], readings);
  }
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void find_frames(BaseJournal& base, const SegmentLog& log) {
  for (const SegmentView& segment : log.segments()) {
    const std::string name = segment.path.filename().string();
    const std::string& content = base.files.at(name);
    for (std::uint64_t offset = kHeaderBlock; offset < segment.bytes;) {
      BaseJournal::Frame frame{name, offset, 0, {}};
      std::memcpy(&frame.header, content.data() + offset, sizeof frame.header);
      frame.size = frame_size(frame.header);
      offset += frame.size;
      base.frames.push_back(frame);
      base.sources.insert(base.sources.end(), frame.header.count, frame.header.source);
    }
  }
}

BaseJournal make(const Plan& plan) {
  const TemporaryFolder folder;
  FuzzFileIo io;
  BaseJournal base;
  {
    SegmentLog log(io, {folder.path(), kSmallSegment, 16});
    // The segment that it has begun with bears another id, by chance: this journal begins behind it.
    log.set_journal_id(kId);
    log.add_source("ward");
    log.add_source("gen");
    log.start_segment(0);
    log.release(0, true);
    append(log, plan.appends);
    if (plan.released > 0) log.release(plan.released, false);
    append(log, plan.appends_after);
    CursorFile cursor(io, folder.path(), kOldSink);
    cursor.write(kId, SinkCursor(log.first()));
    cursor.write(kId, plan.cursor);
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      base.files[entry.path().filename().string()] = content_of(entry.path());
    }
    base.first = log.first();
    for (std::uint64_t position = log.first(); position < log.end(); ++position) {
      base.readings.push_back(reading_at(position));
    }
    find_frames(base, log);
  }
  return base;
}

}  // namespace

hb_reading reading_at(std::uint64_t position) {
  hb_reading reading{};
  reading.time_us = static_cast<std::int64_t>(position);
  reading.received_us = static_cast<std::int64_t>(position * 3);
  reading.heart_rate = static_cast<std::int32_t>(40 + position % 150);
  const std::string id = "c" + std::to_string(position % 7);
  std::memcpy(reading.customer_id, id.data(), id.size());
  return reading;
}

const std::vector<BaseJournal>& base_journals() {
  static const std::vector<BaseJournal> journals = {
      make({7, 0, 0, SinkCursor(4)}),
      make({40, 0, 0, SinkCursor(90, {{10, 20}, {33, 70}})}),
      make({40, 60, 14, SinkCursor(80, {{65, 66}})}),
  };
  return journals;
}

}  // namespace hbagent
