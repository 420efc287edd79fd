// One file or stream under reading: where it is, what it is called now, and whether it was cut or moved away.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "line_decoder.hpp"
#include "line_reader.hpp"
#include "pacer.hpp"
#include "position_tracker.hpp"
#include "unique_fd.hpp"

namespace hb::file {

// Names a file while it exists.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileId&) const = default;  // NOLINT(modernize-use-nullptr): the 0 is the compiler's own
};
// nullopt where there is no such file.
std::optional<FileId> identify(const std::string& path);

class Input {
 public:
  struct Limits {
    std::size_t max_line;
    std::size_t chunk;
    double speed;
  };
  // `path` is "-" for standard input. Throws BadFile where it cannot be opened.
  Input(std::string path, const Limits& limits);

  // Regular files are resumed, checked for rotation and read in turn; streams are read as they come.
  bool is_stream() const { return stream_; }
  // One with a name, whose writers come and go.
  bool is_fifo() const { return fifo_; }
  const FileId& id() const { return id_; }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  void set_path(std::string path) { path_ = std::move(path); }

  // Begins behind `from`. Throws BadFile where the header cannot be used.
  void begin(const Mark& from, std::unique_ptr<LineDecoder> decoder);
  // Where everything before has been taken, with the fingerprint that belongs to it.
  const Mark& mark();
  // The next line; a header goes to the decoder instead. False: fill. Throws BadFile.
  bool next(Line& line);
  bool rest(Line& line) { return reader_.rest(line); }
  // The line has been dealt with.
  void took(const Line& line) {
    mark_.offset = line.end;
    mark_.lines = line.number;
  }
  void unread(const Line& line) { reader_.unread(line); }
  // Reads more; 0 at the end as it is now, and for a stream that has nothing at the moment. Throws std::system_error.
  std::size_t fill();
  // A stream whose writers are gone.
  bool ended() const { return ended_; }
  // Waits until a stream has something, at most this long.
  void wait_readable(std::chrono::milliseconds time) const;

  // Regular files, at the end: lets the buffer go until there is more.
  void rest_idle() { reader_.release(); }
  // Whether there may be more to read since the last look. `restarted`: the file was cut or written anew, and reading
  // begins at its start. Throws std::system_error.
  bool grew(bool& restarted);
  // Bytes not yet taken.
  std::uint64_t lag() const;

  // Whether decoded readings wait for their time.
  bool waits() const { return !due_later.empty(); }

  LineDecoder& decoder() { return *decoder_; }
  // The input is done with, and its decoder knows the header.
  std::unique_ptr<LineDecoder> take_decoder() { return std::move(decoder_); }
  Pacer& pacer() { return pacer_; }

  // ---- the source's notes on this input
  PositionTracker::FileIndex index = 0;
  std::vector<Reading> due_later;  // decoded, not yet due; all of the line `held`
  std::size_t due_next = 0;
  Line held;
  std::size_t reported = 0;        // problems of the line that could not be taken whole, and is next
  std::uint64_t reported_end = 0;  // where that line ended: the last one may go on by then
  bool touched = false;            // taken lines since the last emit
  bool at_end = false;
  std::optional<Pacer::Clock::time_point> orphaned_at;  // moved away or deleted; or grown since then

 private:
  void read_header();

  std::string path_;
  UniqueFd fd_;
  FileId id_;
  bool stream_ = false;
  bool fifo_ = false;
  bool ended_ = false;
  std::size_t max_line_;
  LineReader reader_;
  Pacer pacer_;
  std::unique_ptr<LineDecoder> decoder_;
  Mark mark_;
  struct Seen {
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Seen&) const = default;
  } seen_;  // at the last look
};

}  // namespace hb::file
