// Readings from a thread that makes them to one that looks at them, with little in between.
#pragma once

#include <hbagent/plugin.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hbagent {

// Readings in order, batch by batch.
class ReadingStream {
 public:
  virtual ~ReadingStream() = default;
  // The next of them, at least one; false: there are no more. Throws std::runtime_error where they cannot be had.
  virtual bool next(std::vector<hb_reading>& batch) = 0;
};

// One thread pushes, another one pops.
class ReadingQueue final : public ReadingStream {
 public:
  // Waits while the queue is full; false: nobody wants any more.
  bool push(std::vector<hb_reading> batch) {
    if (batch.empty()) return true;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || batches_.size() < kMaxBatches; });
    if (closed_) return false;
    batches_.push_back(std::move(batch));
    changed_.notify_all();
    return true;
  }
  // No more will come; `error`: because that went wrong.
  void finish(std::string error) {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    error_ = std::move(error);
    changed_.notify_all();
  }
  // Nobody wants any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  bool next(std::vector<hb_reading>& batch) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return finished_ || !batches_.empty(); });
    if (!error_.empty()) throw std::runtime_error(error_);
    if (batches_.empty()) return false;
    batch = std::move(batches_.front());
    batches_.pop_front();
    changed_.notify_all();
    return true;
  }

 private:
  static constexpr std::size_t kMaxBatches = 16;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<hb_reading>> batches_;
  bool finished_ = false;
  bool closed_ = false;
  std::string error_;
};

}  // namespace hbagent
