#include "dead_letters.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>

namespace hbagent {
namespace {

std::int64_t wall_clock_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

void cut_to(int fd, std::uint64_t size, const std::filesystem::path& file) {
  if (ftruncate(fd, static_cast<off_t>(size)) == 0) return;
  throw std::system_error(errno, std::generic_category(), "cannot repair " + file.string());
}

void write_text(FileIo& io, int fd, std::string_view text, std::uint64_t offset, const std::filesystem::path& file) {
  const iovec part{const_cast<char*>(text.data()), text.size()};
  io.write(fd, {&part, 1}, offset, file);
}

}  // namespace

DeadLetters::DeadLetters(std::filesystem::path file, std::uint64_t max_bytes, std::unique_ptr<FileIo> io)
    : file_(std::move(file)), max_bytes_(max_bytes), io_(std::move(io)) {
  if (std::filesystem::exists(beside(kAnew))) io_->remove(beside(kAnew));  // of a crash within change()
  if (std::filesystem::exists(beside(kPredecessor))) {
    const UniqueFd old = io_->open(beside(kPredecessor), false);
    predecessor_ = scan(old.get(), beside(kPredecessor));
  }
  open_file();
  load_next_id();
}

DeadLetters::~DeadLetters() {
  if (fd_) sync();
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
  if (fstat(fd_.get(), &info) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot stat " + file_.string());
  }
  if (!S_ISREG(info.st_mode)) {
    throw std::system_error(EINVAL, std::generic_category(), file_.string() + " is no regular file");
  }
  const Content content = scan(fd_.get(), file_);
  cut_to(fd_.get(), content.bytes, file_);
  io_->sync_folder(file_.parent_path());
  current_ = content;
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

void DeadLetters::store_next_id() {
  if (stored_next_id_ == next_id_) return;
  const auto anew = beside(kAnew);
  {
    const UniqueFd fd = open_anew();
    write_text(*io_, fd.get(), std::to_string(next_id_) + '\n', 0, anew);
    io_->sync(fd.get(), anew);
  }
  io_->rename(anew, beside(kNextId));
  io_->sync_folder(file_.parent_path());
  stored_next_id_ = next_id_;
}

void DeadLetters::rotate() {
  if (unsynced_ && !sync_failed_) {
    try {
      io_->sync(fd_.get(), file_);
      unsynced_ = false;
    } catch (const std::system_error&) {  // told by sync()
      sync_failed_ = true;
    }
  }
  io_->rename(file_, beside(kPredecessor));
  stats_.evicted += predecessor_.letters;
  predecessor_ = current_;
  current_ = {};
  fd_ = UniqueFd();
  open_file();
}

void DeadLetters::drop_predecessor() {
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
  const std::lock_guard lock(mutex_);
  try {
    if (!fd_) open_file();
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
  const std::lock_guard lock(mutex_);
  if (!unsynced_) return true;
  try {
    if (!sync_failed_ && fd_) io_->sync(fd_.get(), file_);
    sync_failed_ = sync_failed_ || !fd_;
  } catch (const std::system_error&) {
    sync_failed_ = true;
  }
  stats_.failing = sync_failed_;
  unsynced_ = sync_failed_;
  return !sync_failed_;
}

DeadLetterReader DeadLetters::read() const {
  const std::lock_guard lock(mutex_);
  return DeadLetterReader(file_);
}

std::uint64_t DeadLetters::last_id() const {
  const std::lock_guard lock(mutex_);
  return next_id_ - 1;
}

DeadLetters::Stats DeadLetters::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.bytes = current_.bytes + predecessor_.bytes;
  return stats;
}

}  // namespace hbagent
