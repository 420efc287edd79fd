// One sink on its own thread: reads the journal at its own pace and writes until every reading has its answer.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "backoff.hpp"
#include "dead_letters.hpp"
#include "instance.hpp"
#include "journal/journal.hpp"
#include "phase.hpp"
#include "redelivery.hpp"
#include "retry_log.hpp"

namespace hbagent {

class SinkRunner {
 public:
  struct Surroundings {  // all outlive the runner
    Journal& journal;
    DeadLetters& dead_letters;
    Logger& logger;
    PhaseBoard& board;
    std::filesystem::path state_dir;
  };

  // `config` outlives the runner.
  SinkRunner(const InstanceConfig& config, const Surroundings& surroundings);
  ~SinkRunner();

  // [main-thread]
  void start();                           // creates the instance on the new thread; then waits for go
  void go(std::size_t index);             // opens and writes; `index` is the sink's in the journal
  void refuse(const std::string& error);  // instead of go: it has no place in the journal, and ends as failed
  void drain();                           // writes what is in the journal without waiting for more, then ends
  void abort();                           // ends as soon as the plugin returns; what is pending stays pending
  void join();

  // Under the board's lock.
  Phase phase() const { return phase_; }
  const std::string& create_error() const { return create_error_; }
  Place create_error_place() const { return instance_.config().place_of_error(create_error_); }
  bool failed() const { return failed_; }

  // [any thread]
  // In the journal; nothing before go.
  std::optional<std::size_t> index() const {
    const std::size_t index = index_;
    return index == kNoIndex ? std::nullopt : std::optional(index);
  }
  Instance& instance() { return instance_; }
  const Instance& instance() const { return instance_; }
  Redelivery& redelivery() { return redelivery_; }
  struct Progress {
    std::uint64_t writes = 0;
    double write_seconds = 0;           // spent in write
    double last_delay_seconds = 0;      // from receipt to delivery, of the newest reading of the last batch; 0 or more
    double seconds_since_progress = 0;  // since the last commit, or since there was something to do
  };
  Progress progress() const;

 private:
  void thread_main();
  void work();
  bool read(JournalBatch& batch);  // false: stopping
  // Writes what a replay asks to try again; false: stopping or failed.
  bool redeliver();
  // Opens with backoff; false: stopping or failed.
  bool open_with_backoff();
  // Writes until every reading of the batch has its answer; false: stopping or failed, nothing may be committed.
  bool deliver(JournalBatch& batch, SinkTerms& terms, bool& was_down);
  // One write. Takes what is answered out of `readings` and `origin`; what is left is to be tried again.
  std::int32_t write_once(const JournalBatch& batch, std::vector<hb_reading>& readings,
                          std::vector<std::uint32_t>& origin, SinkTerms& terms, std::string& error);
  bool keep_dead_letter(const std::string& source, const hb_reading& reading, const Verdict& verdict);
  bool sync_dead_letters();  // false: stopping
  bool pause(const std::string& error, Backoff& backoff);
  void fail(const std::string& error);
  void set_phase(Phase phase);

  static constexpr std::size_t kNoIndex = ~std::size_t{0};
  std::atomic<std::size_t> index_{kNoIndex};
  Surroundings around_;
  Instance instance_;
  VerdictList verdicts_;
  Redelivery redelivery_;
  RetryLog retry_log_;
  std::thread thread_;

  // Guarded by the board.
  Phase phase_ = Phase::creating;
  bool go_ = false;
  bool failed_ = false;
  std::string create_error_;

  std::atomic<bool> draining_{false};
  mutable std::mutex progress_mutex_;
  Progress progress_;
  std::chrono::steady_clock::time_point last_progress_ = std::chrono::steady_clock::now();
};

}  // namespace hbagent
