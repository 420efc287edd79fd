#include "line_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace hb::file {

LineReader::LineReader(std::size_t max_line, std::size_t chunk) : max_line_(max_line), chunk_(chunk) {}

void LineReader::start(int fd, bool stream, std::uint64_t offset, std::uint64_t lines_before) {
  fd_ = fd;
  stream_ = stream;
  begin_ = scanned_ = end_ = 0;
  read_offset_ = offset;
  lines_ = lines_before;
  skipping_ = again_ = false;
  long_.clear();
}

bool LineReader::next(Line& line) {
  if (again_) {
    again_ = false;
    line = again_line_;
    line.text = long_;
    ++lines_;
    return true;
  }
  if (scanned_ == end_) return false;
  const auto* newline = static_cast<const char*>(std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_));
  if (newline == nullptr) {
    scanned_ = end_;
    if (skipping_ || end_ - begin_ > max_line_ + 1) begin_skipping();
    return false;
  }
  if (skipping_) {
    skip_long_line(line, newline);
    return true;
  }
  const char* first = buffer_.data() + begin_;
  auto length = static_cast<std::size_t>(newline - first);
  line.begin = read_offset_ - (end_ - begin_);
  begin_ = scanned_ = static_cast<std::size_t>(newline + 1 - buffer_.data());
  line.end = read_offset_ - (end_ - begin_);
  line.number = ++lines_;
  if (length > 0 && first[length - 1] == '\r') --length;
  line.too_long = length > max_line_;
  line.text = {first, std::min(length, max_line_)};
  return true;
}

// The end of an over-long line, whose beginning was kept.
void LineReader::skip_long_line(Line& line, const char* newline) {
  begin_ = scanned_ = static_cast<std::size_t>(newline + 1 - buffer_.data());
  skipping_ = false;
  line.text = long_;
  line.begin = long_begin_;
  line.end = read_offset_ - (end_ - begin_);
  line.number = ++lines_;
  line.too_long = true;
}

// Keeps the beginning of an over-long line and forgets the rest as it comes.
void LineReader::begin_skipping() {
  if (!skipping_) {
    skipping_ = true;
    long_begin_ = read_offset_ - (end_ - begin_);
    long_.assign(buffer_.data() + begin_, max_line_);
  }
  begin_ = scanned_ = end_;
}

std::size_t LineReader::fill() {
  if (buffer_.empty()) buffer_.resize(chunk_);
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  char* const to = buffer_.data() + end_;
  const std::size_t room = buffer_.size() - end_;
  ssize_t count = 0;
  do {
    count = stream_ ? ::read(fd_, to, room) : ::pread(fd_, to, room, static_cast<off_t>(read_offset_));
  } while (count < 0 && errno == EINTR);
  if (count < 0) throw std::system_error(errno, std::generic_category());
  end_ += static_cast<std::size_t>(count);
  read_offset_ += static_cast<std::uint64_t>(count);
  return static_cast<std::size_t>(count);
}

bool LineReader::rest(Line& line) {
  if (!has_rest()) return false;
  line.end = read_offset_;
  line.number = ++lines_;
  line.too_long = skipping_;
  if (skipping_) {
    line.text = long_;
    line.begin = long_begin_;
    skipping_ = false;
  } else {
    std::size_t length = end_ - begin_;
    line.begin = read_offset_ - length;
    if (buffer_[end_ - 1] == '\r') --length;
    line.too_long = length > max_line_;
    line.text = {buffer_.data() + begin_, std::min(length, max_line_)};
  }
  begin_ = scanned_ = end_;
  return true;
}

void LineReader::unread(const Line& line) {
  --lines_;
  // What lies in the buffer is given out again from there; an over-long line's bytes are gone but for its beginning.
  const std::uint64_t from_end = read_offset_ - line.begin;
  if (from_end <= end_) {
    begin_ = scanned_ = end_ - static_cast<std::size_t>(from_end);
    return;
  }
  again_ = true;
  again_line_ = line;
}

void LineReader::release() {
  if (stream_) return;
  read_offset_ -= end_ - begin_;
  begin_ = scanned_ = end_ = 0;
  buffer_ = {};
}

}  // namespace hb::file
