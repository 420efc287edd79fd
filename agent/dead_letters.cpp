#include "dead_letters.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "text.hpp"

namespace hbagent {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void sync_folder(const std::filesystem::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw_errno("cannot open " + folder.string());
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  if (result != 0) throw std::system_error(error, std::generic_category(), "cannot sync " + folder.string());
}

struct Content {
  std::uint64_t lines = 0;
  std::uint64_t complete_bytes = 0;  // up to and with the last newline
};

Content scan(int fd) {
  Content content;
  std::array<char, 65536> block{};
  std::uint64_t offset = 0;
  for (;;) {
    const ssize_t got = pread(fd, block.data(), block.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read the dead letters");
    if (got == 0) return content;
    for (ssize_t i = 0; i < got; ++i) {
      if (block[static_cast<std::size_t>(i)] != '\n') continue;
      ++content.lines;
      content.complete_bytes = offset + static_cast<std::uint64_t>(i) + 1;
    }
    offset += static_cast<std::uint64_t>(got);
  }
}

std::string to_line(const DeadLetter& letter) {
  using namespace std::chrono;
  const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  nlohmann::ordered_json json;
  json["time"] = iso_time(now);
  json["source"] = letter.source;
  json["instance"] = letter.instance;
  json["reason"] = letter.reason;
  if (!letter.detail.empty()) json["detail"] = letter.detail;
  if (!letter.origin.empty()) json["origin"] = letter.origin;
  if (is_plain_text(letter.payload)) {
    json["payload"] = letter.payload;
  } else {
    json["payload_base64"] = base64(letter.payload);
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

}  // namespace

DeadLetters::DeadLetters(std::filesystem::path file, std::uint64_t max_bytes)
    : file_(std::move(file)), max_bytes_(max_bytes) {
  const int old = open(predecessor().c_str(), O_RDONLY | O_CLOEXEC);
  if (old >= 0) {
    const Content content = scan(old);
    predecessor_lines_ = content.lines;
    predecessor_size_ = content.complete_bytes;
    close(old);
  }
  open_file();
}

DeadLetters::~DeadLetters() {
  if (fd_ >= 0) {
    sync();
    close(fd_);
  }
}

std::filesystem::path DeadLetters::predecessor() const {
  return file_.string() + ".1";
}

void DeadLetters::open_file() {
  fd_ = open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0) throw_errno("cannot open " + file_.string());
  try {
    check_file();
  } catch (...) {  // not half open: what is known of the file would be that of the one before
    close(fd_);
    fd_ = -1;
    throw;
  }
}

void DeadLetters::check_file() {
  struct stat info {};
  if (fstat(fd_, &info) != 0) throw_errno("cannot stat " + file_.string());
  if (!S_ISREG(info.st_mode)) {
    throw std::system_error(EINVAL, std::generic_category(), file_.string() + " is no regular file");
  }
  const Content content = scan(fd_);
  if (ftruncate(fd_, static_cast<off_t>(content.complete_bytes)) != 0) throw_errno("cannot repair " + file_.string());
  sync_folder(file_.parent_path());
  lines_ = content.lines;
  size_ = content.complete_bytes;
}

void DeadLetters::rotate() {
  if (unsynced_ && !sync_failed_) {
    sync_failed_ = fdatasync(fd_) != 0;
    unsynced_ = sync_failed_;
  }
  if (rename(file_.c_str(), predecessor().c_str()) != 0) throw_errno("cannot rotate " + file_.string());
  stats_.evicted += predecessor_lines_;
  predecessor_lines_ = lines_;
  predecessor_size_ = size_;
  close(fd_);
  fd_ = -1;
  open_file();
}

bool DeadLetters::append(const DeadLetter& letter, std::string& error) {
  const std::string line = to_line(letter);
  const std::lock_guard lock(mutex_);
  try {
    if (fd_ < 0) open_file();
    if (size_ > 0 && size_ + line.size() > max_bytes_ / 2) rotate();
    std::size_t done = 0;
    while (done < line.size()) {
      const ssize_t wrote = write(fd_, line.data() + done, line.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) {
        const std::system_error failure(errno, std::generic_category(), "cannot write " + file_.string());
        // Half a line must not stay: the next one would be glued to it.
        if (done > 0 && ftruncate(fd_, static_cast<off_t>(size_)) != 0) throw_errno("cannot repair " + file_.string());
        throw failure;
      }
      done += static_cast<std::size_t>(wrote);
    }
  } catch (const std::exception& failure) {
    error = failure.what();
    stats_.failing = true;
    return false;
  }
  size_ += line.size();
  ++lines_;
  ++stats_.written;
  unsynced_ = true;
  stats_.failing = false;
  return true;
}

bool DeadLetters::sync() {
  const std::lock_guard lock(mutex_);
  if (!unsynced_) return true;
  sync_failed_ = sync_failed_ || fd_ < 0 || fdatasync(fd_) != 0;
  if (sync_failed_) {
    stats_.failing = true;
    return false;
  }
  unsynced_ = false;
  stats_.failing = false;
  return true;
}

DeadLetters::Stats DeadLetters::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.bytes = size_ + predecessor_size_;
  return stats;
}

}  // namespace hbagent
