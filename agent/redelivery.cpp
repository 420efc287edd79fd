#include "redelivery.hpp"

#include <utility>

namespace hbagent {

std::optional<Redelivery::Answer> Redelivery::ask(std::vector<hb_reading> readings, Clock::time_point deadline,
                                                  const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (closed_) return Answer{HB_FAILED, *closed_, {}};
  request_ = std::move(readings);
  answer_.reset();
  taken_ = false;
  lock.unlock();
  wake_();
  lock.lock();
  changed_.wait_until(lock, stop, deadline, [&] { return answer_ || closed_; });
  request_.reset();
  taken_ = false;
  if (answer_) return std::exchange(answer_, std::nullopt);
  if (closed_) return Answer{HB_FAILED, *closed_, {}};
  return std::nullopt;
}

std::optional<std::vector<hb_reading>> Redelivery::take() {
  const std::lock_guard lock(mutex_);
  if (!request_) return std::nullopt;
  taken_ = true;
  return std::exchange(request_, std::nullopt);
}

void Redelivery::answer(Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(taken_, false)) return;  // nobody waits for this one any more
    answer_ = std::move(answer);
  }
  changed_.notify_all();
}

void Redelivery::close(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = why;
  }
  changed_.notify_all();
}

}  // namespace hbagent
