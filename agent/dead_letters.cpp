#include "dead_letters.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>

#include "wall_clock.hpp"

namespace hbagent {
namespace {

void cut_to(int fd, std::uint64_t size, const std::filesystem::path& file) {
  if (ftruncate(fd, static_cast<off_t>(size)) == 0) return;
  throw std::system_error(errno, std::generic_category(), "cannot repair " + file.string());
}

[[noreturn]] void throw_unknown(const std::filesystem::path& file) {
  throw std::system_error(errno, std::generic_category(), "cannot stat " + file.string());
}

void write_text(FileIo& io, int fd, std::string_view text, std::uint64_t offset, const std::filesystem::path& file) {
  const iovec part{const_cast<char*>(text.data()), text.size()};
  io.write(fd, {&part, 1}, offset, file);
}

}  // namespace

DeadLetters::DeadLetters(std::filesystem::path file, std::uint64_t max_bytes, std::unique_ptr<FileIo> io, Note note)
    : file_(std::move(file)),
      max_bytes_(max_bytes),
      io_(std::move(io)),
      note_(note ? std::move(note) : [](const std::string&) {}) {
  if (std::filesystem::exists(beside(kAnew))) io_->remove(beside(kAnew));  // of a crash within change()
  follow_predecessor();
  open_file();
  load_next_id();
  tell_stats();
}

DeadLetters::~DeadLetters() {
  if (!fd_) return;
  try {
    follow_outside_changes();  // the ids of what is gone are given to nobody at the next start
  } catch (const std::system_error& error) {
    note_(error.what());
  }
  sync();
}

DeadLetters::Content DeadLetters::scan(int fd, const std::filesystem::path& path) const {
  Content content;
  LineScanner lines(fd, path);
  for (std::string_view line; lines.next(line);) {
    ++content.letters;
    content.last_id = std::max(content.last_id, letter_id(line).value_or(0));
  }
  content.bytes = lines.offset();
  return content;
}

void DeadLetters::open_file() {
  fd_ = io_->open(file_, true);
  try {
    check_file();
  } catch (...) {  // not half open: what is known of the file would be that of the one before
    fd_ = UniqueFd();
    throw;
  }
}

void DeadLetters::check_file() {
  struct stat info {};
  if (fstat(fd_.get(), &info) != 0) throw_unknown(file_);
  if (!S_ISREG(info.st_mode)) {
    throw std::system_error(EINVAL, std::generic_category(), file_.string() + " is no regular file");
  }
  const Content content = scan(fd_.get(), file_);
  cut_to(fd_.get(), content.bytes, file_);
  io_->sync_folder(file_.parent_path());
  current_ = content;
}

// A person or a rotation of logs may have moved, removed or shortened the file since the last letter.
void DeadLetters::follow_outside_changes() {
  if (fd_) {
    struct stat ours {};
    struct stat named {};
    if (fstat(fd_.get(), &ours) != 0) throw_unknown(file_);
    const bool there = lstat(file_.c_str(), &named) == 0;
    if (!there && errno != ENOENT) throw_unknown(file_);
    const bool same = there && named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
    const auto size = static_cast<std::uint64_t>(ours.st_size);
    if (same && size == current_.bytes && !ids_missing_) return;
    ids_missing_ = ids_missing_ || !same || size < current_.bytes;
    if (!there) {
      note_(file_.string() + " was moved away or removed: beginning a new one");
    } else if (!same) {
      note_(file_.string() + " was replaced by another file: going on behind what is in it");
    } else if (size < current_.bytes) {
      note_(fmt::format("{} was shortened from {} to {} bytes: going on at its new end", file_.string(), current_.bytes,
                        size));
    }
    if (same) {
      check_file();
    } else {
      sync_before_leaving();
      fd_ = UniqueFd();
      current_ = {};
    }
  }
  if (!fd_) {
    open_file();
    follow_predecessor();  // a rotation of logs gives what it moves that very name
  }
  next_id_ = std::max({next_id_, predecessor_.last_id + 1, current_.last_id + 1});
  if (ids_missing_) store_next_id();
  ids_missing_ = false;
}

// Looks at the predecessor anew where it is not the one that is known.
void DeadLetters::follow_predecessor() {
  std::error_code error;
  const auto path = beside(kPredecessor);
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error && error != std::errc::no_such_file_or_directory) {
    throw std::system_error(error, "cannot stat " + path.string());
  }
  if (error && predecessor_.bytes > 0) note_(path.string() + " was moved away or removed");
  if (error) {
    predecessor_ = {};
  } else if (size != predecessor_.bytes) {
    const UniqueFd old = io_->open(path, false);
    predecessor_ = scan(old.get(), path);
  }
}

// Letters that a replay has taken out had ids, too: none of them may come again.
void DeadLetters::load_next_id() {
  std::ifstream(beside(kNextId)) >> stored_next_id_;
  next_id_ = std::max({stored_next_id_, predecessor_.last_id + 1, current_.last_id + 1});
}

// Empty, whatever an earlier try left behind.
UniqueFd DeadLetters::open_anew() const {
  UniqueFd fd = io_->open(beside(kAnew), true);
  cut_to(fd.get(), 0, beside(kAnew));
  return fd;
}

// What did not come to take its place may be what fills the disk.
void DeadLetters::remove_anew() noexcept {
  try {
    if (std::filesystem::exists(beside(kAnew))) io_->remove(beside(kAnew));
  } catch (const std::exception&) {  // the failure before this one is told of, and the next try empties it
    return;
  }
}

void DeadLetters::store_next_id() {
  if (stored_next_id_ == next_id_) return;
  const auto anew = beside(kAnew);
  try {
    const UniqueFd fd = open_anew();
    write_text(*io_, fd.get(), std::to_string(next_id_) + '\n', 0, anew);
    io_->sync(fd.get(), anew);
    io_->rename(anew, beside(kNextId));
  } catch (...) {
    remove_anew();
    throw;
  }
  io_->sync_folder(file_.parent_path());
  stored_next_id_ = next_id_;
}

// The file is not written to any more.
void DeadLetters::sync_before_leaving() {
  if (!unsynced_ || sync_failed_) return;
  try {
    io_->sync(fd_.get(), file_);
    unsynced_ = false;
  } catch (const std::system_error&) {  // told by sync()
    sync_failed_ = true;
  }
}

void DeadLetters::rotate() {
  sync_before_leaving();
  follow_predecessor();
  io_->rename(file_, beside(kPredecessor));
  stats_.evicted += predecessor_.letters;
  predecessor_ = current_;
  current_ = {};
  fd_ = UniqueFd();
  open_file();
}

void DeadLetters::drop_predecessor() {
  follow_predecessor();
  if (predecessor_.bytes == 0) return;
  io_->remove(beside(kPredecessor));
  stats_.evicted += predecessor_.letters;
  predecessor_ = {};
}

// A source's bytes may hold readings without a time of their own: the letter's stands for it then.
std::int64_t DeadLetters::next_time() {
  constexpr std::int64_t kAdjustment = 1'000'000;
  const std::int64_t now = wall_clock_us();
  const bool corrected = now < last_time_us_ - kAdjustment;
  last_time_us_ = corrected ? now : std::max(now, last_time_us_ + 1);
  return last_time_us_;
}

bool DeadLetters::append(const DeadLetter& letter, std::string& error) {
  const Turn turn(*this);
  try {
    follow_outside_changes();
    const std::string line = letter_line(letter, {next_id_, next_time()}, max_payload(), max_line());
    if (current_.bytes > 0 && current_.bytes + line.size() > max_line()) rotate();
    // Files of an earlier run may have had a larger bound.
    if (predecessor_.bytes > 0 && predecessor_.bytes + current_.bytes + line.size() > max_bytes_) drop_predecessor();
    try {
      write_text(*io_, fd_.get(), line, current_.bytes, file_);
    } catch (const std::system_error&) {
      cut_to(fd_.get(), current_.bytes, file_);  // half a line must not stay
      throw;
    }
    current_.bytes += line.size();
  } catch (const std::exception& failure) {
    error = failure.what();
    stats_.failing = true;
    return false;
  }
  ++current_.letters;
  current_.last_id = next_id_++;
  ++stats_.written;
  unsynced_ = true;
  stats_.failing = false;
  return true;
}

bool DeadLetters::sync() {
  const Turn turn(*this);
  if (!unsynced_ && !name_unsynced_) return true;
  try {
    if (unsynced_ && !sync_failed_ && fd_) io_->sync(fd_.get(), file_);
    sync_failed_ = sync_failed_ || (unsynced_ && !fd_);
  } catch (const std::system_error&) {
    sync_failed_ = true;
  }
  unsynced_ = sync_failed_;
  try {
    sync_names();
  } catch (const std::system_error&) {  // name_unsynced_ says it
  }
  stats_.failing = sync_failed_ || name_unsynced_;
  return !stats_.failing;
}

DeadLetterReader DeadLetters::read() {
  const Turn turn(*this);
  follow_outside_changes();
  return DeadLetterReader(file_);
}

std::uint64_t DeadLetters::last_id() const {
  const std::lock_guard lock(mutex_);
  return next_id_ - 1;
}

DeadLetters::Stats DeadLetters::stats() const {
  const std::lock_guard lock(told_mutex_);
  return told_;
}

void DeadLetters::tell_stats() {
  Stats stats = stats_;
  stats.bytes = current_.bytes + predecessor_.bytes;
  const std::lock_guard lock(told_mutex_);
  told_ = stats;
}

}  // namespace hbagent
