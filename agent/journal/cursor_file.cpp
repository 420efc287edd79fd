#include "journal/cursor_file.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "journal/crc32c.hpp"

namespace hbagent {
namespace {

constexpr char kMagic[8] = {'H', 'B', 'C', 'U', 'R', 'S', '1', '\n'};
constexpr std::uint64_t kCopyDistance = 4096;  // no torn page or sector takes both copies
constexpr std::uint64_t kFileSize = 2 * kCopyDistance;
constexpr std::string_view kExtension = ".cursor";

struct Record {
  char magic[8];
  std::uint32_t crc;  // CRC-32C of the sink's name and the record with this field zero
  std::uint32_t backlog_count;
  std::uint64_t serial;
  std::uint64_t journal_id;
  std::uint64_t live;
  PositionSpan backlog[SinkCursor::kMaxBacklog + 1];  // what is in hand counts as backlog
};

// With the sink's name in it, so that a file that was copied over another sink's holds no cursor of that one.
std::uint32_t checksum(Record record, const std::string& sink) {
  record.crc = 0;
  return crc32c(&record, sizeof record, crc32c(sink.data(), sink.size()));
}

bool sound(const Record& record, const std::string& sink) {
  if (std::memcmp(record.magic, kMagic, sizeof kMagic) != 0 || record.crc != checksum(record, sink)) return false;
  return record.backlog_count <= std::size(record.backlog);
}

std::optional<CursorFile::Content> newest(FileIo& io, int fd, const std::filesystem::path& path,
                                          const std::string& sink) {
  std::optional<Record> newest;
  for (std::uint64_t copy = 0; copy < 2; ++copy) {
    Record record{};
    if (io.read(fd, &record, sizeof record, copy * kCopyDistance, path) < sizeof record) continue;
    if (sound(record, sink) && (!newest || record.serial > newest->serial)) newest = record;
  }
  if (!newest) return std::nullopt;
  return CursorFile::Content{newest->journal_id, newest->serial, newest->live,
                             SinkCursor(newest->live, {newest->backlog, newest->backlog + newest->backlog_count})};
}

}  // namespace

std::filesystem::path CursorFile::path_of(const std::filesystem::path& folder, const std::string& sink) {
  return folder / (sink + std::string(kExtension));
}

std::vector<std::string> CursorFile::sinks_in(const std::filesystem::path& folder) {
  std::vector<std::string> sinks;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == kExtension) sinks.push_back(entry.path().stem().string());
  }
  std::sort(sinks.begin(), sinks.end());
  return sinks;
}

CursorFile::CursorFile(FileIo& io, const std::filesystem::path& folder, const std::string& sink)
    : io_(io), folder_(folder), sink_(sink), path_(path_of(folder, sink)), fd_(io.open(path_, true)) {
  // Before it gets its size: the zeros that are added would complete a copy that was cut, and its newer one is gone.
  found_ = newest(io_, fd_.get(), path_, sink_);
  if (found_) {
    serial_ = found_->serial;
  } else {
    // What is left of copies must never count again, with a serial above the new ones.
    const std::vector<char> zeros(kFileSize);
    const iovec part{const_cast<char*>(zeros.data()), zeros.size()};
    io_.write(fd_.get(), {&part, 1}, 0, path_);
  }
  io_.allocate(fd_.get(), kFileSize, path_);
}

std::optional<CursorFile::Content> CursorFile::peek(FileIo& io, const std::filesystem::path& folder,
                                                    const std::string& sink) {
  const auto path = path_of(folder, sink);
  return newest(io, io.open(path, false).get(), path, sink);
}

void CursorFile::write(std::uint64_t journal_id, const SinkCursor& cursor) {
  Record record{};
  std::memcpy(record.magic, kMagic, sizeof kMagic);
  record.serial = ++serial_;
  record.journal_id = journal_id;
  record.live = cursor.live();
  std::vector<PositionSpan> waiting = cursor.backlog();
  if (cursor.held().size() > 0) waiting.push_back(cursor.held());
  std::sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  for (const PositionSpan& span : waiting) record.backlog[record.backlog_count++] = span;
  record.crc = checksum(record, sink_);
  const iovec part{&record, sizeof record};
  io_.write(fd_.get(), {&part, 1}, serial_ % 2 * kCopyDistance, path_);
  unsynced_ = true;
}

void CursorFile::sync() {
  if (unsynced_) io_.sync(fd_.get(), path_);
  unsynced_ = false;
  if (name_unsynced_) io_.sync_folder(folder_);
  name_unsynced_ = false;
}

}  // namespace hbagent
