#include "input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace hb::file {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct stat status_of(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw std::system_error(errno, std::generic_category(), path);
  return info;
}

std::int64_t modified_ns(const struct stat& info) {
  return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace

std::optional<FileId> identify(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

Input::Input(std::string path, const Limits& limits)
    : path_(std::move(path)), max_line_(limits.max_line), reader_(limits.max_line, limits.chunk), pacer_(limits.speed) {
  // O_NONBLOCK: a FIFO without a writer shall not hold the agent up.
  fd_.reset(path_ == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                         : ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd_) throw BadFile(std::strerror(errno));
  const struct stat info = status_of(fd_.get(), path_);
  if (S_ISDIR(info.st_mode)) throw BadFile("is a folder");
  id_ = {info.st_dev, info.st_ino};
  stream_ = path_ == "-" || !S_ISREG(info.st_mode);
  fifo_ = path_ != "-" && S_ISFIFO(info.st_mode);
}

void Input::begin(const Mark& from, std::unique_ptr<LineDecoder> decoder) {
  decoder_ = std::move(decoder);
  mark_ = from;
  seen_ = {};
  reader_.start(fd_.get(), stream_, from.offset, from.lines);
  if (from.offset > 0 && decoder_->has_header()) read_header();
}

// Reading goes on in the middle: the header is still the file's first line.
void Input::read_header() {
  LineReader first(max_line_, max_line_);
  first.start(fd_.get(), false, 0, 0);
  Line line;
  while (!first.next(line)) {
    if (first.fill() == 0) throw BadFile("its header has no end");
  }
  if (line.text.starts_with(kByteOrderMark)) line.text.remove_prefix(kByteOrderMark.size());
  decoder_->header(line.text);
}

const Mark& Input::mark() {
  if (!stream_ && mark_.start.size < std::min<std::uint64_t>(mark_.offset, Fingerprint::kMaxSize)) {
    mark_.start = fingerprint(fd_.get(), mark_.offset);
  }
  return mark_;
}

bool Input::next(Line& line) {
  while (reader_.next(line)) {
    if (line.begin > 0) return true;
    if (line.text.starts_with(kByteOrderMark)) line.text.remove_prefix(kByteOrderMark.size());
    if (!decoder_->has_header()) return true;
    if (line.too_long) throw BadFile("its header is longer than max_line");
    decoder_->header(line.text);
    took(line);
  }
  return false;
}

std::size_t Input::fill() {
  if (stream_) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0) return 0;
  }
  const std::size_t count = reader_.fill();
  ended_ = stream_ && count == 0;
  return count;
}

void Input::wait_readable(std::chrono::milliseconds time) const {
  pollfd ready{fd_.get(), POLLIN, 0};
  ::poll(&ready, 1, static_cast<int>(time.count()));
}

bool Input::grew(bool& restarted) {
  restarted = false;
  const struct stat info = status_of(fd_.get(), path_);
  const Seen now{static_cast<std::uint64_t>(info.st_size), modified_ns(info)};
  if (now == seen_) return false;
  seen_ = now;
  if (now.size >= reader_.read_offset() && matches(fd_.get(), mark_.start)) return true;
  restarted = true;
  mark_ = {};
  reader_.start(fd_.get(), false, 0, 0);
  return true;
}

std::uint64_t Input::lag() const {
  if (stream_) return 0;
  const auto size = static_cast<std::uint64_t>(status_of(fd_.get(), path_).st_size);
  return size - std::min(size, mark_.offset);
}

}  // namespace hb::file
