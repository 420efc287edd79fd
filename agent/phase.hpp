// Where a runner's thread stands, for those who wait for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace hbagent {

// Phases only ever go forward. Thread-safe.
enum class Phase {
  creating,
  created,  // waits for the word to go
  running,
  stopped,  // does its work no more; a source may still wait for acks
  ended     // its instance is closed; the thread returns
};

// One for all runners of a pipeline: a change in any of them wakes whoever waits.
class PhaseBoard {
 public:
  using Clock = std::chrono::steady_clock;

  void change(const std::function<void()>& update) {
    {
      const std::lock_guard lock(mutex_);
      update();
    }
    changed_.notify_all();
  }
  template <class Condition>
  bool wait_until(Clock::time_point deadline, Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, condition);
  }
  template <class Condition>
  void wait(Condition condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, condition);
  }
  template <class Read>
  auto read(Read body) const {
    const std::lock_guard lock(mutex_);
    return body();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace hbagent
