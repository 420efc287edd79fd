#include "append_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace hb::file {

void AppendFile::fail(const std::string& what) const {
  throw std::runtime_error(what + ' ' + settings_.path + ": " + std::strerror(errno));
}

void AppendFile::open() {
  open_new_or_old();
  if (size_ > 0) repair_last_line();
  if (size_ == 0 && !settings_.header.empty()) write_whole(settings_.header);
}

void AppendFile::open_new_or_old() {
  fd_.reset(::open(settings_.path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd_) fail("cannot open");
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) fail("cannot open");
  if (!S_ISREG(info.st_mode)) {
    fd_.reset();
    throw std::runtime_error(settings_.path + " is no regular file");
  }
  // Two writers would cut off each other's lines.
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    const int why = errno;
    fd_.reset();
    if (why == EWOULDBLOCK) throw std::runtime_error("another sink or process writes to " + settings_.path);
    errno = why;
    fail("cannot lock");
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
  ragged_ = false;
  if (settings_.sync) sync_folder();
}

void AppendFile::sync_folder() const {
  const auto folder = std::filesystem::path(settings_.path).parent_path();
  const UniqueFd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) fail("cannot sync the folder of");
}

// A crash or a power loss can leave a piece of a line, or zeros, behind the last line end. What was cut off was never
// reported as delivered, so it comes again.
void AppendFile::repair_last_line() {
  constexpr std::uint64_t kBlock = 64UL * 1024;
  std::string tail;
  std::uint64_t start = size_;
  while (start > 0 && tail.find('\n') == std::string::npos) {
    const std::uint64_t length = std::min(kBlock, start);
    std::string block(length, '\0');
    start -= length;
    const ssize_t count = ::pread(fd_.get(), block.data(), length, static_cast<off_t>(start));
    if (count != static_cast<ssize_t>(length)) fail("cannot read the end of");
    tail.insert(0, block);
  }
  const std::size_t last_end = tail.rfind('\n');
  const std::string_view torn = std::string_view(tail).substr(last_end == std::string::npos ? 0 : last_end + 1);
  if (torn.empty()) return;
  if (settings_.is_whole && settings_.is_whole(torn)) {
    settings_.note("the last line of " + settings_.path + " had no end: ended it");
    write_whole("\n");
    return;
  }
  settings_.note("the last line of " + settings_.path + " was torn: cut off " + std::to_string(torn.size()) + " bytes");
  const std::uint64_t good = size_ - torn.size();
  if (::ftruncate(fd_.get(), static_cast<off_t>(good)) != 0) fail("cannot cut the torn last line off");
  size_ = good;
}

void AppendFile::append(std::string_view lines) {
  follow_outside_changes();
  if (settings_.max_size > 0 && size_ > settings_.header.size() && size_ + lines.size() > settings_.max_size) rotate();
  if (size_ == 0 && !settings_.header.empty()) write_whole(settings_.header);
  write_whole(lines);
}

// Log rotation may have moved, deleted or emptied the file since the last append.
void AppendFile::follow_outside_changes() {
  if (!fd_) return open();
  struct stat named {};
  struct stat ours {};
  if (::fstat(fd_.get(), &ours) != 0) fail("cannot stat");
  const bool exists = ::stat(settings_.path.c_str(), &named) == 0;
  if (!exists || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev) {
    settings_.note(settings_.path + " was moved away: began a new file");
    return open();
  }
  const auto now = static_cast<std::uint64_t>(ours.st_size);
  if (ragged_ && now > size_) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) fail("cannot cut a half-written line off");
  } else {
    size_ = now;
  }
  ragged_ = false;
}

// path.1 becomes path.2 and so on; the oldest goes. A crash in between leaves a gap in the numbers and loses nothing.
void AppendFile::rotate() {
  const auto name = [this](unsigned number) { return settings_.path + '.' + std::to_string(number); };
  for (unsigned number = settings_.keep; number > 1; --number) {
    if (std::rename(name(number - 1).c_str(), name(number).c_str()) != 0 && errno != ENOENT) fail("cannot rotate");
  }
  const int done =
      settings_.keep > 0 ? std::rename(settings_.path.c_str(), name(1).c_str()) : ::unlink(settings_.path.c_str());
  if (done != 0) fail("cannot rotate");
  open();
}

void AppendFile::write_whole(std::string_view bytes) {
  std::size_t done = 0;
  int why = 0;
  while (done < bytes.size() && why == 0) {
    const ssize_t count = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      why = errno;
    }
  }
  if (why == 0 && settings_.sync && ::fdatasync(fd_.get()) != 0) why = errno;
  if (why == 0) {
    size_ += bytes.size();
    return;
  }
  ragged_ = ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0;
  errno = why;
  fail("cannot write");
}

}  // namespace hb::file
