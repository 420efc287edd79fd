#include "journal/segment_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <random>
#include <system_error>

#include "journal/frame_scanner.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kMaxSpares = 2;
constexpr std::uint64_t kSmallWrite = 2048;  // bytes

// To a few milliseconds: it says when something was written, and a frame of one reading should cost little.
std::int64_t wall_clock_us() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

std::uint64_t frames_size(std::size_t readings) {
  const std::size_t frames = (readings + kFrameReadings - 1) / kFrameReadings;
  return frames * sizeof(FrameHeader) + readings * sizeof(hb_reading);
}

std::uint64_t names_size(std::span<const std::string> names) {
  return sizeof(FrameHeader) + padded(encode_names(names).size());
}

}  // namespace

// ---- appending ---------------------------------------------------------------------------------------------------

void SegmentLog::add_source(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (const std::string& known : names_) {
    if (known == name) return;
    if (hbagent::source_id(known) == hbagent::source_id(name)) {
      throw JournalError(
          fmt::format("the journal cannot tell the source names \"{}\" and \"{}\" apart; rename one", known, name));
    }
  }
  names_.push_back(name);
  if (encode_names(names_).size() <= kMaxPayload) {
    names_count_ = names_.size();
    return;
  }
  names_.pop_back();
  throw JournalError(
      fmt::format("the journal in {} has seen too many different source names; stop the agent when it is "
                  "drained, and remove the folder",
                  settings_.folder.string()));
}

std::string SegmentLog::source_name(std::uint32_t id) const {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : names_) {
    if (hbagent::source_id(name) == id) return name;
  }
  return fmt::format("source {:08x}", id);
}

bool SegmentLog::fits(std::size_t readings) const {
  std::uint64_t names = 0;
  if (names_written_ < names_count_) {
    const std::lock_guard lock(mutex_);
    names = names_size(names_);
  }
  return newest_->written + names + frames_size(readings) <= settings_.segment_size;
}

bool SegmentLog::has_spare_room(std::size_t readings) const {
  const std::lock_guard lock(mutex_);
  if ((segments_.size() + 1) * settings_.segment_size <= max_bytes()) return true;
  const std::uint64_t least = names_size(names_) + readings * (sizeof(FrameHeader) + sizeof(hb_reading));
  return newest_->written + least <= settings_.segment_size;
}

bool SegmentLog::may_grow() const {
  return used_bytes() + settings_.segment_size <= max_bytes();
}

SegmentLog::File SegmentLog::make_file(const SegmentName& name, const std::filesystem::path& path) {
  auto file = std::make_shared<SegmentFile>(name, path);
  std::filesystem::path spare;
  {
    const std::lock_guard lock(mutex_);
    if (!spares_.empty()) spare = spares_.back();
  }
  const bool recycled = !spare.empty();
  file->fd = io_.open(recycled ? spare : file->path, !recycled);
  try {
    if (!recycled) io_.allocate(file->fd.get(), settings_.segment_size, file->path);
    SegmentHeader header = make_segment_header(journal_id_, name, wall_clock_us());
    const iovec part{&header, sizeof header};
    io_.write(file->fd.get(), {&part, 1}, 0, file->path);
    io_.write(file->fd.get(), {&part, 1}, kHeaderCopy, file->path);
    if (recycled) io_.rename(spare, file->path);
  } catch (const std::system_error&) {
    if (!recycled) io_.remove(file->path);
    throw;
  }
  file->written = kHeaderBlock;
  const std::lock_guard lock(mutex_);
  if (recycled) spares_.pop_back();
  folder_unsynced_ = true;
  return file;
}

void SegmentLog::publish(const File& file) {
  const std::lock_guard lock(mutex_);
  if (!segments_.empty()) segments_.back()->sealed = true;
  segments_.push_back(file);
  unsynced_.push_back(file);
  newest_ = file;
}

void SegmentLog::start_segment(std::uint64_t position) {
  std::uint64_t sequence = 1;
  {
    const std::lock_guard lock(mutex_);
    if (!segments_.empty()) sequence = segments_.back()->name.sequence + 1;
  }
  publish(make_file({sequence, position}, path_of({sequence, position})));
  names_written_ = 0;
}

void SegmentLog::append(std::uint64_t position, std::uint32_t source, std::span<const hb_reading> readings) {
  append_to(*newest_, position, source, readings, names_written_);
  end_ = position + readings.size();
}

void SegmentLog::append_to(SegmentFile& file, std::uint64_t position, std::uint32_t source,
                           std::span<const hb_reading> readings, std::size_t& names_written) {
  const std::int64_t now = wall_clock_us();
  std::string names;
  FrameHeader names_header{};
  std::size_t names_count = names_written;
  parts_.clear();
  std::uint64_t bytes = 0;
  const auto add = [&](const void* data, std::size_t size) {
    parts_.push_back({const_cast<void*>(data), size});  // pwritev does not write to what it is given
    bytes += size;
  };
  if (names_written < names_count_) {
    {
      const std::lock_guard lock(mutex_);
      names_count = names_.size();
      names = encode_names(names_);
    }
    names_header = make_names_frame(file.seed, position, names, now);
    names.resize(padded(names.size()));
    add(&names_header, sizeof names_header);
    add(names.data(), names.size());
  }
  headers_.clear();
  headers_.reserve((readings.size() + kFrameReadings - 1) / kFrameReadings);
  for (std::size_t at = 0; at < readings.size(); at += kFrameReadings) {
    const auto part = readings.subspan(at, std::min<std::size_t>(kFrameReadings, readings.size() - at));
    headers_.push_back(make_readings_frame(file.seed, position + at, source, part, now));
    add(&headers_.back(), sizeof(FrameHeader));
    add(part.data(), part.size_bytes());
  }
  if (bytes == 0) return;
  if (bytes <= kSmallWrite) join_parts(bytes);
  const std::uint64_t offset = file.written.load(std::memory_order_relaxed);  // nobody else writes it
  io_.write(file.fd.get(), parts_, offset, file.path);
  file.written.store(offset + bytes, std::memory_order_release);
  names_written = names_count;
}

// One piece costs the operating system less than several, and little to copy.
void SegmentLog::join_parts(std::uint64_t bytes) {
  small_.resize(kSmallWrite);
  char* to = small_.data();
  for (const iovec& part : parts_) {
    std::memcpy(to, part.iov_base, part.iov_len);
    to += part.iov_len;
  }
  parts_.assign(1, {small_.data(), static_cast<std::size_t>(bytes)});
}

// ---- making durable ----------------------------------------------------------------------------------------------

void SegmentLog::sync() {
  struct Item {
    File file;
    bool sealed;  // before the sync: then it is durable for good
  };
  std::vector<Item> items;
  bool folder = false;
  {
    const std::lock_guard lock(mutex_);
    for (const File& file : unsynced_) items.push_back({file, file->sealed});
    folder = std::exchange(folder_unsynced_, false);
  }
  try {
    for (const Item& item : items) io_.sync(item.file->fd.get(), item.file->path);
    if (folder) io_.sync_folder(settings_.folder);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    folder_unsynced_ = folder_unsynced_ || folder;
    throw;
  }
  const std::lock_guard lock(mutex_);
  for (const Item& item : items) {
    if (!item.sealed) continue;
    std::erase(unsynced_, item.file);
    item.file->fd = UniqueFd();
  }
}

std::uint64_t SegmentLog::rewrite(std::uint64_t from, std::uint64_t to) {
  std::deque<File> old;
  {
    const std::lock_guard lock(mutex_);
    old = segments_;
  }
  std::vector<File> made;
  std::uint64_t lost = 0;
  std::uint64_t sequence = old.back()->name.sequence;
  std::size_t names_written = 0;
  // Under their own names they would supersede the old ones, so they get those when they are complete.
  const auto next_file = [&](std::uint64_t position) {
    const SegmentName name{++sequence, position};
    made.push_back(make_file(name, settings_.folder / (std::string(kRewriteFile) + file_name(name))));
    names_written = 0;
  };
  try {
    next_file(from);
    std::uint64_t expected = from;
    for (std::size_t i = 0; i < old.size() && expected < to; ++i) {
      std::uint64_t end = to;
      for (std::size_t later = i + 1; later < old.size(); ++later) end = std::min(end, old[later]->name.first);
      if (end <= expected || !old[i]->fd) continue;
      FrameScanner scanner(io_, old[i]->fd.get(), old[i]->path, old[i]->name.sequence,
                           {kHeaderBlock, old[i]->name.first}, old[i]->written);
      for (auto kind = scanner.next(); kind != FrameScanner::Kind::end; kind = scanner.next()) {
        const FrameHeader& header = scanner.header();
        if (kind == FrameScanner::Kind::damaged || header.count == 0 || header.position < expected) continue;
        if (header.position >= end) break;
        if (made.back()->written + sizeof(FrameHeader) + kMaxPayload + frame_size(header) > settings_.segment_size) {
          made.back()->sealed = true;
          next_file(header.position);
        }
        lost += header.position - expected;
        append_to(*made.back(), header.position, header.source, {scanner.readings(), header.count}, names_written);
        expected = header.position + header.count;
      }
    }
    lost += to - expected;
    for (const File& file : made) io_.sync(file->fd.get(), file->path);
    io_.sync_folder(settings_.folder);
    // The newest first, and for good: from then on all of them count, whatever name they have (see list_segments).
    for (auto file = made.rbegin(); file != made.rend(); ++file) {
      io_.rename((*file)->path, path_of((*file)->name));
      (*file)->path = path_of((*file)->name);
      if (file == made.rbegin()) io_.sync_folder(settings_.folder);
    }
    io_.sync_folder(settings_.folder);
  } catch (...) {
    for (auto file = made.rbegin(); file != made.rend(); ++file) {
      std::error_code ignored;  // the next try, or the next start, removes it
      std::filesystem::remove((*file)->path, ignored);
    }
    throw;
  }
  // What is superseded stays until its turn to be released comes: the sequence has no gaps.
  const std::lock_guard lock(mutex_);
  for (const File& file : unsynced_) file->fd = UniqueFd();
  for (const File& file : segments_) file->sealed = true;
  for (const File& file : made) segments_.push_back(file);
  newest_ = segments_.back();
  unsynced_.assign(1, newest_);
  names_written_ = names_written;
  end_ = to;
  return lost;
}

// ---- finding and releasing ---------------------------------------------------------------------------------------

std::uint64_t SegmentLog::end_of(std::size_t index) const {
  std::uint64_t end = ~std::uint64_t{0};
  for (std::size_t later = index + 1; later < segments_.size(); ++later) {
    end = std::min(end, segments_[later]->name.first);
  }
  return end;
}

std::optional<SegmentView> SegmentLog::find(std::uint64_t position) const {
  const std::lock_guard lock(mutex_);
  // The newest one that begins at or before it: older ones reach up to where that begins.
  for (std::size_t i = segments_.size(); i-- > 0;) {
    const SegmentFile& file = *segments_[i];
    if (file.name.first <= position) return SegmentView{file.name, file.path, file.written, end_of(i)};
  }
  return std::nullopt;
}

bool SegmentLog::release(std::uint64_t position, bool keep_files) {
  const std::lock_guard one_releases(release_mutex_);
  for (bool any = false;; any = true) {
    File oldest;
    bool recycle = false;
    {
      const std::lock_guard lock(mutex_);
      if (segments_.size() < 2 || end_of(0) > position) return any;
      oldest = segments_.front();
      std::error_code error;
      recycle = !keep_files && spares_.size() < kMaxSpares &&
                std::filesystem::file_size(oldest->path, error) == settings_.segment_size && !error;
    }
    const auto spare = settings_.folder / fmt::format("{}{:012}", kSpareFile, oldest->name.sequence);
    if (recycle) {
      io_.rename(oldest->path, spare);
    } else {
      io_.remove(oldest->path);
    }
    const std::lock_guard lock(mutex_);
    if (recycle) spares_.push_back(spare);
    std::erase(unsynced_, oldest);
    segments_.pop_front();
  }
}

std::uint64_t SegmentLog::first() const {
  const std::lock_guard lock(mutex_);
  // Not always of the oldest segment: one that begins behind a later one is superseded as a whole.
  return (*std::min_element(segments_.begin(), segments_.end(),
                            [](const File& a, const File& b) { return a->name.first < b->name.first; }))
      ->name.first;
}

std::optional<std::uint64_t> SegmentLog::oldest_end() const {
  const std::lock_guard lock(mutex_);
  if (segments_.size() < 2) return std::nullopt;
  return end_of(0);
}

std::uint64_t SegmentLog::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return segments_.size() * settings_.segment_size;
}

std::vector<SegmentView> SegmentLog::segments() const {
  const std::lock_guard lock(mutex_);
  std::vector<SegmentView> views;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    views.push_back({segments_[i]->name, segments_[i]->path, segments_[i]->written, end_of(i)});
  }
  return views;
}

}  // namespace hbagent
