// What a source does now and then, whatever its run waits for.
#ifndef HBAGENT_TICKER_HPP
#define HBAGENT_TICKER_HPP

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace hb {

// Calls a function every interval on a thread of its own, until it is destroyed. For storing how far all is safe: emit
// blocks for as long as the journal is full, and what came before becomes safe meanwhile.
class Ticker {
 public:
  // The first call comes after one interval. What `tick` shares with other threads it has to guard itself.
  Ticker(std::chrono::milliseconds interval, std::function<void()> tick)
      : tick_(std::move(tick)), thread_([this, interval] { run(interval); }) {}
  // Waits for a call under way.
  ~Ticker() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // Throws what a call has thrown; none came after it. [any thread]
  void check() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void run(std::chrono::milliseconds interval) noexcept {
    std::unique_lock lock(mutex_);
    while (!failure_ && !changed_.wait_for(lock, interval, [this] { return ending_; })) {
      lock.unlock();
      std::exception_ptr failure;
      try {
        tick_();
      } catch (...) {  // thrown again by check
        failure = std::current_exception();
      }
      lock.lock();
      failure_ = failure;
    }
  }

  std::function<void()> tick_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::exception_ptr failure_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace hb

#endif
