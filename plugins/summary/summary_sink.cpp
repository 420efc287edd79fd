#include "summary_sink.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

HB_SINK_PLUGIN(hb::summary::SummarySink, "summary", "Shows a live line about the stream on the terminal.")

namespace hb::summary {
namespace {

constexpr int kLookAgainMs = 100;
constexpr std::string_view kClearLine = "\r\x1b[2K";  // ECMA-48: erase in line

std::string utc_now(std::int64_t now_us) {
  const std::time_t seconds = now_us / 1'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

SummarySink::SummarySink(const Config& config, Host host, int output)
    : config_(config),
      host_(host),
      output_(output),
      terminal_(::isatty(output) == 1),
      statistics_(Clock::now(), config.active_window) {}

void SummarySink::open() {
  printer_ = std::jthread([this](const std::stop_token& stop) { show_until(stop); });
}

void SummarySink::write(Batch batch) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  statistics_.add(batch.readings(), now);
}

void SummarySink::close() {
  if (!printer_.joinable()) return;
  printer_.request_stop();
  printer_.join();
  const std::string line = "in all: " + text_of(statistics_.all(Clock::now())) + '\n';
  put((terminal_ ? std::string(kClearLine) : std::string()) + line, {});
}

void SummarySink::show_until(const std::stop_token& stop) {
  // A reader that goes away shall be an error here, not the end of the process.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (true) {
    Summary summary;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, config_.interval, [] { return false; });
      if (stop.stop_requested()) return;
      summary = statistics_.look(Clock::now());
    }
    show(summary, stop);
  }
}

void SummarySink::show(const Summary& summary, const std::stop_token& stop) {
  std::string line = text_of(summary);
  if (terminal_) {
    line = std::string(kClearLine) + line.substr(0, width());
  } else {
    line = utc_now(host_.now_us()) + ' ' + line + '\n';
  }
  put(line, stop);
}

// A line that wraps could not be refreshed in place.
std::size_t SummarySink::width() const {
  winsize size{};
  constexpr std::size_t kUsual = 80;
  if (::ioctl(output_, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return kUsual;
  return size.ws_col - 1U;
}

// The summary is a courtesy: a terminal that does not take it (Ctrl-S, a closed pipe) never holds the stream up.
void SummarySink::put(std::string_view text, const std::stop_token& stop) {
  while (!text.empty() && !broken_) {
    pollfd ready{output_, POLLOUT, 0};
    if (::poll(&ready, 1, kLookAgainMs) == 0) {
      if (stop.stop_requested() || !stop.stop_possible()) return;
      continue;
    }
    const ssize_t count = ::write(output_, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      broken_ = true;
      host_.warn(std::string("the summary is not shown any more: ") + std::strerror(errno));
    }
  }
}

}  // namespace hb::summary
