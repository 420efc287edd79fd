#include "append_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace hb::file {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

}  // namespace

void AppendStream::open() {
  // A reader that goes away shall be an error here, not the end of the process. The signal is for this thread, the
  // only one that calls this instance.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  if (path_ == "-") {
    fd_ = STDOUT_FILENO;
    return;
  }
  own_.reset(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!own_) fail("cannot open " + path_);
  fd_ = own_.get();
}

bool AppendStream::wait_for_room() const {
  constexpr int kLookAgainMs = 100;
  pollfd ready{fd_, POLLOUT, 0};
  while (true) {
    const int count = ::poll(&ready, 1, kLookAgainMs);
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return true;  // the write says what is wrong
    if (host_.stopping()) return false;
  }
}

void AppendStream::append(std::string_view lines) {
  std::string restarted;
  if (torn_) lines = restarted.append("\n").append(lines);
  std::size_t done = 0;
  while (done < lines.size()) {
    if (!wait_for_room()) {
      torn_ = torn_ || done > 0;
      throw std::runtime_error("the reader of " + path_ + " is too slow, and the agent stops");
    }
    const ssize_t count = ::write(fd_, lines.data() + done, lines.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR && errno != EAGAIN) {
      torn_ = torn_ || done > 0;
      // Nobody can open it again for us.
      if (errno == EPIPE && path_ == "-") throw Failed("standard output was closed by its reader");
      if (errno == EBADF && path_ == "-") {
        throw Failed(std::string("cannot write standard output: ") + std::strerror(errno));
      }
      fail("cannot write " + (path_ == "-" ? std::string("standard output") : path_));
    }
  }
  torn_ = false;
}

}  // namespace hb::file
