// Walks the frames of one segment file, around whatever is damaged.
#pragma once

#include <cstddef>
#include <vector>

#include "journal/file_io.hpp"
#include "journal/segment_format.hpp"

namespace hbagent {

class FrameScanner {
 public:
  // Where a walk begins: `offset` is that of a frame, `position` what that frame must at least have.
  struct Start {
    std::uint64_t offset = kHeaderBlock;
    std::uint64_t position = 0;
  };

  // `file` is for messages; the descriptor outlives the scanner. Nothing at or behind `limit` (bytes) is looked at.
  FrameScanner(FileIo& io, int fd, std::filesystem::path file, std::uint64_t sequence, Start start,
               std::uint64_t limit);

  enum class Kind {
    frame,    // sound; header() and payload() are it
    damaged,  // bytes that are no frame, or a frame whose payload is not what it was
    end       // no further frame: what follows was never completed, or is free
  };
  // Throws std::system_error when the file cannot be read.
  Kind next();

  // Of the last frame; until the next call of next().
  const FrameHeader& header() const { return header_; }
  const hb_reading* readings() const { return reinterpret_cast<const hb_reading*>(payload_); }
  std::string_view payload() const { return {payload_, header_.payload_size}; }
  // Where it begins, or where the damage or the end does.
  std::uint64_t offset() const { return offset_; }
  // Where the one after it begins.
  std::uint64_t next_offset() const { return next_offset_; }
  // The least position that the next frame may have.
  std::uint64_t next_position() const { return next_position_; }

 private:
  bool is_frame_at(std::uint64_t offset);
  // The next offset behind `from` at which a frame's header is; limit_ when there is none.
  std::uint64_t find_frame(std::uint64_t from);
  // At least min(size, what there is) bytes from `offset` on, in one piece, aligned to 8 bytes.
  std::span<const char> bytes(std::uint64_t offset, std::size_t size);

  FileIo& io_;
  const int fd_;
  const std::filesystem::path file_;
  const std::uint32_t seed_;
  const std::uint64_t limit_;
  std::uint64_t offset_;
  std::uint64_t next_offset_;
  std::uint64_t next_position_;
  FrameHeader header_{};
  const char* payload_ = nullptr;
  std::vector<std::uint64_t> buffer_;  // of 64-bit words: readings in it are aligned
  std::uint64_t buffer_offset_ = 0;
  std::size_t buffered_ = 0;
};

}  // namespace hbagent
