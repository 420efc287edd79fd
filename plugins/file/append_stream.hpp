// Standard output or a FIFO as a place for lines: each piece of whole lines goes out at once or not at all.
#pragma once

#include <hbagent/host.hpp>

#include <string>
#include <string_view>

#include "unique_fd.hpp"

namespace hb::file {

class AppendStream {
 public:
  // What a pipe takes in one go (PIPE_BUF of Linux, pipe(7)): no reader ever sees half a piece.
  static constexpr std::size_t kMaxPiece = 4096;

  // `path`: "-" for standard output, else a FIFO or a device.
  AppendStream(std::string path, Host host) : path_(std::move(path)), host_(host) {}

  // Throws std::runtime_error. A FIFO without a reader is an error, not a wait.
  void open();
  void close() { own_.reset(); }
  // Waits while the reader is slow, until the agent stops. Throws std::runtime_error when the piece is not out.
  // REQUIRES: at most kMaxPiece bytes of whole lines.
  void append(std::string_view lines);

 private:
  bool wait_for_room() const;

  std::string path_;
  Host host_;
  UniqueFd own_;
  int fd_ = -1;
  bool torn_ = false;  // a device took half a line; the next piece begins on a line of its own
};

}  // namespace hb::file
