#include "worker.hpp"

namespace postgres {
namespace {

// For the last words to a server that may not listen any more.
constexpr std::chrono::milliseconds kFinishLimit{2000};

}  // namespace

Worker::Worker(Writer& writer, hb::Host host, std::chrono::milliseconds latest_interval, std::size_t pending_limit)
    : writer_(writer),
      host_(host),
      latest_interval_(latest_interval),
      pending_limit_(pending_limit),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Worker::~Worker() {
  thread_.request_stop();
  changed_.notify_all();
}

void Worker::start(std::span<const hb::Reading> all, std::vector<std::uint32_t>& chosen) {
  {
    const std::lock_guard lock(mutex_);
    job_ = Job{all, &chosen};
    done_ = false;
    error_ = nullptr;
    verdicts_.clear();
  }
  changed_.notify_all();
}

std::vector<Verdict> Worker::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
  if (error_) std::rethrow_exception(error_);
  return std::move(verdicts_);
}

Writer::Counts Worker::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Worker::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<Job> job;
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return job_.has_value(); };
      if (writer_.latest().empty() || !writer_.usable()) {
        changed_.wait(lock, stop, wanted);
      } else {
        changed_.wait_until(lock, stop, flush_due(), wanted);
      }
      job = std::exchange(job_, std::nullopt);
    }
    if (job) do_job(*job);
    flush_if_due();
  }
  writer_.finish(kFinishLimit);
}

void Worker::do_job(const Job& job) {
  std::vector<Verdict> verdicts;
  std::exception_ptr error;
  try {
    // Where showing them fails again and again, they must not pile up.
    if (writer_.latest().size() >= 2 * pending_limit_) writer_.flush_latest();
    writer_.write(job.all, *job.chosen, verdicts);
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    verdicts_ = std::move(verdicts);
    error_ = error;
    counts_ = writer_.counts();
    done_ = true;
  }
  changed_.notify_all();
}

Worker::Clock::time_point Worker::flush_due() const {
  if (writer_.latest().size() >= pending_limit_) return next_attempt_;
  return std::max(next_attempt_, writer_.latest().since() + latest_interval_);
}

// The readings themselves are safe, so a failure costs no more than that heartrate_data is behind: said, and tried
// again. A lost connection is left to the next write, which opens it again.
void Worker::flush_if_due() {
  if (writer_.latest().empty() || !writer_.usable() || Clock::now() < flush_due()) return;
  std::string failure;
  try {
    writer_.flush_latest();
  } catch (const std::exception& error) {
    next_attempt_ = Clock::now() + std::max<std::chrono::milliseconds>(latest_interval_, std::chrono::seconds(1));
    failure = error.what();
    if (const auto* answer = dynamic_cast<const ServerError*>(&error);
        answer != nullptr && answer->remedy() == Remedy::Reconnect) {
      host_.down(failure);
    }
  }
  if (failure == flush_failure_) return;
  if (failure.empty()) {
    host_.info("heartrate_data is up to date again");
  } else {
    host_.warn("heartrate_data is not up to date: " + failure);
  }
  flush_failure_ = failure;
}

}  // namespace postgres
