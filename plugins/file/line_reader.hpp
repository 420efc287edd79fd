// Cuts a file or a stream into lines without ever holding more than one chunk and one over-long line's beginning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hb::file {

// One line. `text` lasts until the next call of fill, unread, release or seek.
struct Line {
  std::string_view text;     // without its end (LF or CRLF); an over-long line: its first max_line bytes
  std::uint64_t begin = 0;   // offset of the first byte
  std::uint64_t end = 0;     // offset behind the line's end
  std::uint64_t number = 0;  // 1 is the first line of the file
  bool too_long = false;
};

class LineReader {
 public:
  // `chunk`: bytes read at once; the buffer grows where a line does not fit. Lines of more than max_line bytes come as
  // too_long.
  LineReader(std::size_t max_line, std::size_t chunk);

  // Starts at `offset` of `fd`, which the caller owns. A stream is read from where it is; offset then only counts.
  void start(int fd, bool stream, std::uint64_t offset, std::uint64_t lines_before);

  // The next complete line in memory. False: call fill.
  bool next(Line& line);
  // Reads once. Returns the bytes read, 0 at the end as it is now. Throws std::system_error.
  std::size_t fill();
  // The unterminated rest at the end of the input. False: there is none.
  bool rest(Line& line);
  // The last line returned by next or rest will be returned again.
  void unread(const Line& line);
  // Gives the buffer back while a file is idle. A stream keeps what it has read.
  void release();

  // Offset behind the last byte read.
  std::uint64_t read_offset() const { return read_offset_; }
  // Whether bytes of an unfinished line are held.
  bool has_rest() const { return begin_ != end_ || skipping_; }

 private:
  void skip_long_line(Line& line, const char* newline);
  void begin_skipping();

  const std::size_t max_line_;
  const std::size_t chunk_;
  int fd_ = -1;
  bool stream_ = false;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;    // first byte not yet given out
  std::size_t scanned_ = 0;  // no line end before this one
  std::size_t end_ = 0;
  std::uint64_t read_offset_ = 0;  // file offset of buffer_[end_]
  std::uint64_t lines_ = 0;        // lines given out
  bool skipping_ = false;          // inside an over-long line whose beginning is in long_
  std::uint64_t long_begin_ = 0;
  std::string long_;
  bool again_ = false;  // an over-long line was unread
  Line again_line_;
};

}  // namespace hb::file
