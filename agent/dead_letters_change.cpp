// How letters leave the dead-letter files: each file is written anew beside itself and takes its own place.
#include <algorithm>
#include <system_error>
#include <utility>

#include "dead_letters.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kWriteBlock = 1 << 20;

}  // namespace

// The file that is to take another's place.
class DeadLetters::Copy {
 public:
  Copy(FileIo& io, std::filesystem::path path, UniqueFd empty)
      : io_(io), path_(std::move(path)), fd_(std::move(empty)) {}

  void add(std::string_view line) {  // without its end
    text_ += line;
    text_ += '\n';
    if (text_.size() >= kWriteBlock) flush();
    ++content.letters;
    content.bytes += line.size() + 1;
    content.last_id = std::max(content.last_id, letter_id(line).value_or(0));
  }
  UniqueFd finish() {
    flush();
    io_.sync(fd_.get(), path_);
    return std::move(fd_);
  }

  Content content;
  std::uint64_t taken_out = 0;

 private:
  void flush() {
    const iovec part{text_.data(), text_.size()};
    if (!text_.empty()) io_.write(fd_.get(), {&part, 1}, written_, path_);
    written_ += text_.size();
    text_.clear();
  }

  FileIo& io_;
  const std::filesystem::path path_;
  UniqueFd fd_;
  std::string text_;
  std::uint64_t written_ = 0;
};

bool DeadLetters::concerns(const Changes& changes, int fd, const std::filesystem::path& path) {
  LineScanner lines(fd, path);
  for (std::string_view line; lines.next(line);) {
    if (const auto id = letter_id(line); id && changes.contains(*id)) return true;
  }
  return false;
}

// Copies with the changes made. `before` is what the file holds.
void DeadLetters::copy_changed(const Changes& changes, int fd, const std::filesystem::path& path, const Content& before,
                               Copy& copy) const {
  const std::uint64_t room = std::max<std::uint64_t>(before.bytes, max_line());
  LineScanner lines(fd, path);
  for (std::string_view line; lines.next(line);) {
    const auto id = letter_id(line);
    const auto change = id ? changes.find(*id) : changes.end();
    if (change == changes.end()) {
      copy.add(line);
    } else if (!change->second) {
      ++copy.taken_out;
    } else {
      const std::string_view anew = std::string_view(*change->second).substr(0, change->second->size() - 1);
      const std::uint64_t behind = before.bytes - std::min(before.bytes, lines.offset());
      copy.add(copy.content.bytes + anew.size() + 1 + behind <= room ? anew : line);
    }
  }
}

void DeadLetters::sync_names() {
  if (name_unsynced_) io_->sync_folder(file_.parent_path());
  name_unsynced_ = false;
}

bool DeadLetters::change(const Changes& changes, std::string& error) {
  const Turn turn(*this);
  try {
    follow_outside_changes();
    follow_predecessor();
    store_next_id();
    if (predecessor_.letters > 0) change_predecessor(changes);
    if (current_.letters > 0) change_current(changes);
    return true;
  } catch (const std::system_error& failure) {
    error = failure.what();
    remove_anew();
    return false;
  }
}

void DeadLetters::change_predecessor(const Changes& changes) {
  const auto path = beside(kPredecessor);
  const UniqueFd old = io_->open(path, false);
  if (!concerns(changes, old.get(), path)) return;
  Copy copy(*io_, beside(kAnew), open_anew());
  copy_changed(changes, old.get(), path, predecessor_, copy);
  const UniqueFd done = copy.finish();
  io_->rename(beside(kAnew), path);
  predecessor_ = copy.content;
  stats_.taken_out += copy.taken_out;
  name_unsynced_ = true;
  sync_names();
}

void DeadLetters::change_current(const Changes& changes) {
  if (!concerns(changes, fd_.get(), file_)) return;
  Copy copy(*io_, beside(kAnew), open_anew());
  copy_changed(changes, fd_.get(), file_, current_, copy);
  UniqueFd done = copy.finish();
  io_->rename(beside(kAnew), file_);
  fd_ = std::move(done);
  current_ = copy.content;
  stats_.taken_out += copy.taken_out;
  name_unsynced_ = true;
  unsynced_ = sync_failed_;  // all of it was synced in its new place
  sync_names();
}

}  // namespace hbagent
