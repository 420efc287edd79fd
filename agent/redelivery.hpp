// Readings that a sink refused before and is to look at again, beside what the journal holds for it.
#pragma once

#include <hbagent/plugin.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "instance.hpp"

namespace hbagent {

// Thread-safe. One who asks at a time; the sink's thread answers.
class Redelivery {
 public:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    std::int32_t status = HB_RETRY;  // of the write
    std::string error;               // why it did not succeed
    std::vector<Verdict> verdicts;   // when it did
  };

  // `wake` makes the sink's thread look for a request.
  explicit Redelivery(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Waits for the sink's answer. nullopt: the deadline or the stop came first; the readings may be written all the
  // same.
  std::optional<Answer> ask(std::vector<hb_reading> readings, Clock::time_point deadline, const std::stop_token& stop);

  // [sink thread]
  std::optional<std::vector<hb_reading>> take();
  void answer(Answer answer);
  // No answer comes any more; `why` is what those who ask are told.
  void close(const std::string& why);

 private:
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<std::vector<hb_reading>> request_;
  std::optional<Answer> answer_;
  bool taken_ = false;  // the request that the sink has in hand is the one that is waited for
  std::optional<std::string> closed_;
};

}  // namespace hbagent
