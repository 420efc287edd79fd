#include "silence.hpp"

#include <algorithm>
#include <utility>

namespace postgres {
namespace {

constexpr std::chrono::milliseconds kLongestNotice{5000};
constexpr std::chrono::milliseconds kWatchInterval{100};

std::string seconds_text(std::chrono::milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto tenths = time.count() % 1000 / 100; tenths != 0) text += '.' + std::to_string(tenths);
  return text + " s";
}

}  // namespace

Silence::Silence(hb::Host host, std::string server, std::chrono::milliseconds timeout)
    : host_(host), server_(std::move(server)), notice_(std::min(kLongestNotice, timeout / 4)) {}

void Silence::begin_write() {
  const std::lock_guard lock(mutex_);
  writing_ = true;
  lost_ = false;
}

void Silence::end_write(bool done) {
  const std::lock_guard lock(mutex_);
  if (told_ && done) host_.up();
  writing_ = told_ = false;
}

bool Silence::begin_wait() {
  const std::lock_guard lock(mutex_);
  if (!writing_) return false;
  ++silent_;
  if (!told_) {
    host_.down(server_ + ": no answer for " + seconds_text(notice_) +
               ", still waiting: it is frozen, overloaded, or waits for a lock");
  }
  told_ = true;
  return true;
}

void Silence::end_wait(bool answered) {
  const std::lock_guard lock(mutex_);
  --silent_;
  lost_ = lost_ || !answered;
  if (!told_ || lost_ || silent_ > 0) return;
  told_ = false;
  host_.up();
}

void Silence::Wait::still_waiting(Clock::time_point now) {
  if (silence_ == nullptr || noticed_ || now - since_ < silence_->notice_) return;
  noticed_ = silence_->begin_wait();
}

void Silence::Wait::heard(Clock::time_point now) {
  since_ = now;
  if (std::exchange(noticed_, false)) silence_->end_wait(true);
}

Silence::Watch::Watch(Silence* silence) : wait_(silence) {
  if (silence != nullptr) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Silence::Watch::heard() {
  const std::lock_guard lock(mutex_);
  wait_.heard();
}

void Silence::Watch::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    wait_.still_waiting();
    wake_.wait_for(lock, stop, kWatchInterval, [] { return false; });
  }
}

}  // namespace postgres
