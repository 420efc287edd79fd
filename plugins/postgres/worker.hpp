// A thread with a Writer: takes one job at a time, and shows the latest readings when they are due, also while no job
// comes.
#pragma once

#include "writer.hpp"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace postgres {

class Worker {
 public:
  // `pending_limit`: customers whose latest reading may wait to be shown, before that is done at once.
  Worker(Writer& writer, hb::Host host, std::chrono::milliseconds latest_interval, std::size_t pending_limit);
  // Finishes the job, shows what is left, ends the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // [instance-thread] Hands `chosen` of `all` over, both of which must last until wait() returns; one job at a time.
  void start(std::span<const hb::Reading> all, std::vector<std::uint32_t>& chosen);
  // [instance-thread] Waits until it is done; rethrows what the writer threw.
  std::vector<Verdict> wait();
  // [instance-thread] While no job runs.
  Writer::Counts counts();

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    std::span<const hb::Reading> all;
    std::vector<std::uint32_t>* chosen;
  };

  void run(const std::stop_token& stop);
  void do_job(const Job& job);
  void flush_if_due();
  Clock::time_point flush_due() const;

  Writer& writer_;  // the thread's, and the instance thread's before it starts and after it ended
  hb::Host host_;
  const std::chrono::milliseconds latest_interval_;
  const std::size_t pending_limit_;
  Clock::time_point next_attempt_{};  // after a failed flush; the thread's
  std::string flush_failure_;         // as it was last said; the thread's

  std::mutex mutex_;  // guards all below
  std::condition_variable_any changed_;
  std::optional<Job> job_;
  bool done_ = true;
  std::vector<Verdict> verdicts_;
  std::exception_ptr error_;
  Writer::Counts counts_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace postgres
