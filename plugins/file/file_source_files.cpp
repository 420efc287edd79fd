// How the source `file` finds its files: new ones, those that were renamed, moved away or cannot be read.
#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "decoders.hpp"
#include "file_source.hpp"

namespace hb::file {
namespace {

constexpr auto kLookForFiles = std::chrono::seconds(1);
// Bytes read at once.
constexpr std::size_t kSmallChunk = 8UL * 1024;  // held for as long as it plays
constexpr std::size_t kMediumChunk = 64UL * 1024;
constexpr std::size_t kLargeChunk = 256UL * 1024;

bool is_same(const std::string& path, const Position& left) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  return fd && can_be(fd.get(), left.offset, left.start);
}

}  // namespace

// Following, it looks again every second (a single path: at every turn); otherwise once an open.
void FileSource::find_files() {
  const auto now = std::chrono::steady_clock::now();
  const bool again = config_.follow && (!template_.is_pattern() || !looked_at_ || now - *looked_at_ >= kLookForFiles);
  if (template_.is_stdin()) {
    if (entered_.empty() && queued_.empty()) queued_.push_back({"-", {}});
  } else if (again || !looked_at_) {
    looked_at_ = now;
    look_for_files();
  }
  enter_queued();
}

void FileSource::look_for_files() {
  std::vector<FoundFile> found;
  std::string nothing;
  try {
    found = template_.find();
    if (found.empty() && inputs_.empty()) nothing = template_.why_nothing();
  } catch (const std::runtime_error& wrong) {
    throw Retry(wrong.what());
  }
  if (!nothing.empty()) {
    if (!config_.follow) throw Retry(nothing);
    if (none_found_ != nothing) host_.down(nothing);
  } else if (!none_found_.empty() && blocked_.empty()) {
    host_.up();
  }
  none_found_ = nothing;
  if (config_.follow) note_moved(found);
  queue_new(found);
}

bool FileSource::is_open(const FileId& id) const {
  return std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& input) { return input->id() == id; });
}

void FileSource::queue_new(const std::vector<FoundFile>& found) {
  std::set<FileId> known(entered_.begin(), entered_.end());
  for (const auto& input : inputs_) known.insert(input->id());
  std::set<std::string> waiting;
  for (const FoundFile& file : queued_) waiting.insert(file.path);
  for (const FoundFile& file : found) {
    const auto id = identify(file.path);
    if (id && !known.contains(*id) && !waiting.contains(file.path)) queued_.push_back(file);
  }
}

// An open file may have a new name that the pattern finds, or none.
void FileSource::note_moved(const std::vector<FoundFile>& found) {
  std::map<FileId, std::string> names;
  for (const FoundFile& file : found) {
    if (const auto id = identify(file.path)) names.emplace(*id, file.path);
  }
  for (const auto& input : inputs_) {
    if (input->is_stream()) continue;
    const auto name = names.find(input->id());
    if (name == names.end()) {
      if (!input->orphaned_at) input->orphaned_at = Pacer::Clock::now();
      continue;
    }
    input->orphaned_at.reset();
    if (input->path() == name->second) continue;
    input->set_path(name->second);
    tracker_.renamed(input->index, input->path());
  }
}

// One file after the other where nothing else is asked for; else all at once.
void FileSource::enter_queued() {
  const bool in_turn = !config_.follow && speed_ == 0;
  while (!queued_.empty() && (!in_turn || inputs_.empty())) {
    const FoundFile file = queued_.front();
    queued_.pop_front();
    if (config_.follow) find_rotated_away(file);
    enter(file, file.path);
  }
}

// A file that was rotated while nobody looked: its unread end lies under another name in the same folder.
void FileSource::find_rotated_away(const FoundFile& file) {
  for (const Position& left : tracker_.left_under(file.path)) {
    const auto folder = std::filesystem::path(file.path).parent_path();
    std::error_code ignored;  // a folder that cannot be listed: then the file counts as gone
    for (const auto& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder, ignored)) {
      const std::string path = entry.path().string();
      const auto id = identify(path);
      if (path == file.path || !id || id->inode != left.inode || is_open(*id) || !is_same(path, left)) continue;
      host_.info(file.path + " is now " + path + ": reading its end first");
      if (enter(file, path)) inputs_.back()->orphaned_at = Pacer::Clock::now();
    }
  }
}

// Opens `path`, whose customer is that of `file`, and goes on where it was left.
bool FileSource::enter(const FoundFile& file, const std::string& path) {
  const bool alone = template_.is_stdin() || (!config_.follow && speed_ == 0);
  const Input::Limits limits{config_.max_line.value,
                             alone         ? kLargeChunk
                             : speed_ == 0 ? kMediumChunk
                                           : kSmallChunk,
                             speed_};
  try {
    auto input = std::make_unique<Input>(path, limits);
    if (is_open(input->id())) return false;  // renamed between two looks
    auto decoder = make_decoder(config_, file);
    Mark from;
    if (!input->is_stream()) {
      input->index = tracker_.enter(path, input->id().inode, input->fd());
      from = tracker_.emitted(input->index);
    }
    inputs_.push_back(std::move(input));
    if (!config_.follow || template_.is_stdin()) entered_.push_back(inputs_.back()->id());
    inputs_.back()->begin(from, std::move(decoder));
  } catch (const BadFile& bad) {
    if (!inputs_.empty() && inputs_.back()->path() == path) drop(*inputs_.back());
    block(path, bad.what());
    return false;
  }
  unblock(path);
  if (inputs_.back()->is_fifo()) host_.info(path + " is a FIFO: reading what others write to it");
  return true;
}

// The input cannot be read now; it is found and opened again at the next look.
void FileSource::drop(Input& input) {
  if (!input.is_stream()) tracker_.leave(input.index);
  std::erase(entered_, input.id());
  std::erase(touched_, &input);
  std::erase_if(inputs_, [&](const auto& other) { return other.get() == &input; });
}

void FileSource::block(const std::string& path, const std::string& why) {
  std::string& known = blocked_[path];
  if (known == why) return;
  known = why;
  host_.error("cannot read " + path + ": " + why);
  host_.down("cannot read " + path + ": " + why);
}

void FileSource::unblock(const std::string& path) {
  if (blocked_.erase(path) > 0 && blocked_.empty()) host_.up();
}

}  // namespace hb::file
