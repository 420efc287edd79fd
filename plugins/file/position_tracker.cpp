#include "position_tracker.hpp"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <unordered_map>

namespace hb::file {
namespace {

// Entries of files not seen again; beyond this the oldest go.
constexpr std::size_t kMaxUnseen = 10'000;
// Marks kept one by one; beyond this every second one of a file is merged into its successor.
constexpr std::size_t kMaxWaiting = 8192;

}  // namespace

PositionTracker::PositionTracker(Host host, bool resume)
    : host_(host), store_(resume ? host.state_dir() : std::string_view()) {}

void PositionTracker::load() {
  const std::lock_guard lock(mutex_);
  if (loaded_) return;
  try {
    for (Position& position : store_.load()) {
      Mark emitted{position.offset, position.lines, position.start};
      files_.push_back({std::move(position), emitted, false});
    }
  } catch (const std::system_error& failure) {
    throw Retry(failure.what());
  } catch (const std::runtime_error& damaged) {
    host_.error(std::string(damaged.what()) + "; put aside as " + store_.put_aside() +
                ", every file is read from its beginning");
  }
  loaded_ = true;
}

// An inode is used again after its file is gone, and a path is given to a new file: only the same first bytes, all that
// were read of it and not just the safe ones, make it the same file. Of several, the one with the same path.
std::optional<PositionTracker::FileIndex> PositionTracker::find(std::string_view path, std::uint64_t inode,
                                                                int fd) const {
  std::optional<FileIndex> best;
  for (FileIndex i = 0; i < files_.size(); ++i) {
    const File& file = files_[i];
    if (file.open || file.acked.inode != inode) continue;
    if (!can_be(fd, file.emitted.offset, file.emitted.start)) continue;
    if (!can_be(fd, file.acked.offset, file.acked.start)) continue;
    if (!best || file.acked.path == path) best = i;
  }
  return best;
}

PositionTracker::FileIndex PositionTracker::enter(std::string_view path, std::uint64_t inode, int fd) {
  const std::lock_guard lock(mutex_);
  if (const auto known = find(path, inode, fd)) {
    files_[*known].open = true;
    files_[*known].acked.path = path;
    return *known;
  }
  const FileIndex index = free_entry();
  files_[index] = {{std::string(path), inode, 0, 0, {}}, {}, true};
  return index;
}

// A new entry, or that of a file long gone whose every token is safe.
PositionTracker::FileIndex PositionTracker::free_entry() {
  if (files_.size() > 2 * kMaxUnseen) {
    const auto done = std::find_if(files_.begin(), files_.end(), [](const File& file) {
      return !file.open && file.acked.offset == file.emitted.offset;
    });
    if (done != files_.end()) return static_cast<FileIndex>(done - files_.begin());
  }
  files_.emplace_back();
  return files_.size() - 1;
}

void PositionTracker::leave(FileIndex file) {
  const std::lock_guard lock(mutex_);
  files_[file].open = false;
}

Mark PositionTracker::emitted(FileIndex file) const {
  const std::lock_guard lock(mutex_);
  return files_[file].emitted;
}

void PositionTracker::renamed(FileIndex file, std::string_view path) {
  const std::lock_guard lock(mutex_);
  files_[file].acked.path = path;
}

std::size_t PositionTracker::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::vector<Position> PositionTracker::left_under(std::string_view path) const {
  const std::lock_guard lock(mutex_);
  std::vector<Position> found;
  for (const auto& [acked, emitted, open] : files_) {
    if (open || acked.path != path) continue;
    found.push_back({acked.path, acked.inode, emitted.offset, emitted.lines, emitted.start});
  }
  return found;
}

void PositionTracker::emitted_up_to(FileIndex file, const Mark& mark, std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  files_[file].emitted = mark;
  waiting_.push_back({token, file, mark});
  if (waiting_.size() > kMaxWaiting) thin_out();
}

// Passing a mark later than possible is always safe.
void PositionTracker::thin_out() {
  std::deque<Waiting> kept;
  std::unordered_map<FileIndex, bool> keep_next;
  for (auto mark = waiting_.rbegin(); mark != waiting_.rend(); ++mark) {
    bool& keep = keep_next.try_emplace(mark->file, true).first->second;
    if (keep) kept.push_front(*mark);
    keep = !keep;
  }
  waiting_ = std::move(kept);
}

void PositionTracker::commit(bool now) {
  const std::uint64_t acked = host_.acked();
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && waiting_.front().token <= acked) {
    const Waiting& safe = waiting_.front();
    Position& position = files_[safe.file].acked;
    position.offset = safe.mark.offset;
    position.lines = safe.mark.lines;
    position.start = safe.mark.start;
    changed_ = true;
    waiting_.pop_front();
  }
  const auto time = std::chrono::steady_clock::now();
  if (!changed_ || (!now && time - saved_at_ < kSaveInterval)) return;
  saved_at_ = time;
  save();
}

void PositionTracker::save() {
  std::vector<Position> positions;
  std::size_t unseen = static_cast<std::size_t>(
      std::count_if(files_.begin(), files_.end(), [](const File& file) { return !file.open; }));
  for (const File& file : files_) {
    // The store is in order of first sight, so the first are the oldest.
    if (!file.open && unseen-- > kMaxUnseen) continue;
    if (file.acked.offset > 0) positions.push_back(file.acked);
  }
  try {
    store_.save(positions);
    changed_ = false;
  } catch (const std::system_error& failure) {
    host_.warn(std::string("positions not stored: ") + failure.what());
  }
}

}  // namespace hb::file
