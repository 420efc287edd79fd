#include "journal/frame_scanner.hpp"

#include <algorithm>
#include <cstring>

namespace hbagent {
namespace {

constexpr std::size_t kReadAhead = 256 * 1024;
constexpr std::size_t kLargestFrame = sizeof(FrameHeader) + kMaxPayload;
static_assert(kLargestFrame < kReadAhead);

}  // namespace

FrameScanner::FrameScanner(FileIo& io, int fd, std::filesystem::path file, std::uint64_t sequence, Start start,
                           std::uint64_t limit)
    : io_(io),
      fd_(fd),
      file_(std::move(file)),
      seed_(frame_seed(sequence)),
      limit_(limit),
      offset_(start.offset),
      next_offset_(start.offset),
      next_position_(start.position) {}

std::span<const char> FrameScanner::bytes(std::uint64_t offset, std::size_t size) {
  if (offset >= limit_) return {};
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, limit_ - offset));
  if (offset < buffer_offset_ || offset + size > buffer_offset_ + buffered_) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kReadAhead, limit_ - offset));
    if (buffer_.size() * sizeof(std::uint64_t) < want) buffer_.resize((want + 7) / sizeof(std::uint64_t));
    buffer_offset_ = offset;
    buffered_ = 0;
    buffered_ = io_.read(fd_, buffer_.data(), want, offset, file_);
    size = std::min(size, buffered_);
  }
  return {reinterpret_cast<const char*>(buffer_.data()) + (offset - buffer_offset_), size};
}

bool FrameScanner::is_frame_at(std::uint64_t offset) {
  const auto raw = bytes(offset, sizeof header_);
  if (raw.size() < sizeof header_) return false;
  std::memcpy(&header_, raw.data(), sizeof header_);
  return is_sound(header_, seed_) && header_.position >= next_position_ && offset + frame_size(header_) <= limit_;
}

std::uint64_t FrameScanner::find_frame(std::uint64_t from) {
  for (std::uint64_t offset = from; offset + sizeof header_ <= limit_;) {
    if (bytes(offset, sizeof header_).size() < sizeof header_) break;  // the file is shorter than it should be
    // Over what cannot be one, in all that lies in the buffer: mostly zeros, and megabytes of them.
    const char* const begin = reinterpret_cast<const char*>(buffer_.data());
    const char* const last = begin + buffered_ - sizeof header_;
    const char* at = begin + (offset - buffer_offset_);
    while (at <= last && !may_be_frame(at)) at += 8;
    offset = buffer_offset_ + static_cast<std::uint64_t>(at - begin);
    if (at > last) continue;
    if (is_frame_at(offset)) return offset;
    offset += 8;
  }
  return limit_;
}

FrameScanner::Kind FrameScanner::next() {
  offset_ = next_offset_;
  if (!is_frame_at(offset_)) {
    const std::uint64_t found = find_frame(offset_ + 8);
    if (found == limit_) return Kind::end;
    next_offset_ = found;
    return Kind::damaged;
  }
  const auto whole = bytes(offset_, static_cast<std::size_t>(frame_size(header_)));
  next_offset_ = offset_ + frame_size(header_);
  next_position_ = header_.position + header_.count;
  if (whole.size() < frame_size(header_) || !payload_is_sound(header_, whole.data() + sizeof header_)) {
    return Kind::damaged;
  }
  payload_ = whole.data() + sizeof header_;
  return Kind::frame;
}

}  // namespace hbagent
