// One source on its own thread: runs it, retries it, and carries what it emits through its processors to the journal.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "backoff.hpp"
#include "instance.hpp"
#include "journal/journal.hpp"
#include "phase.hpp"
#include "processor_chain.hpp"
#include "retry_log.hpp"

namespace hbagent {

class SourceRunner final : public SourcePort {
 public:
  struct Surroundings {  // all outlive the runner
    Journal& journal;
    DeadLetters& dead_letters;
    Logger& logger;
    PhaseBoard& board;
    std::filesystem::path state_dir;
  };

  // `config` and `processors` outlive the runner.
  SourceRunner(const InstanceConfig& config, const std::vector<InstanceConfig>& processors,
               const Surroundings& surroundings);
  ~SourceRunner() override;

  // [main-thread]
  void start();                           // creates the instances on the new thread; then waits for go
  void go(std::size_t index);             // opens and runs; `index` is the source's in the journal
  void refuse(const std::string& error);  // instead of go: it has no place in the journal, and ends as failed
  void request_stop();                    // asks run to return; what it emits until then is taken
  void cut();                             // emit takes nothing any more; a blocked one returns
  void release();                         // no more acks come: close now
  void join();

  // Under the board's lock, that is within its wait, change or read.
  Phase phase() const { return phase_; }
  const std::string& create_error() const { return create_error_; }
  Place create_error_place() const {
    return processors_.place_of_error(create_error_, instance_.config().place_of_error(create_error_));
  }
  bool failed() const { return failed_; }

  // [any thread]
  // In the journal; nothing before go.
  std::optional<std::size_t> index() const {
    const std::size_t index = index_;
    return index == kNoIndex ? std::nullopt : std::optional(index);
  }
  Instance& instance() { return instance_; }
  const Instance& instance() const { return instance_; }
  const ProcessorChain& processors() const { return processors_; }

  // SourcePort, called by the plugin on any of its threads; emit, dead_letter and discard serially.
  std::int32_t emit(const hb_reading* readings, std::uint32_t count, std::uint64_t token) override;
  std::uint64_t acked() override;
  std::int32_t dead_letter(const hb_dead_letter& letter) override;
  void discard(const std::string& reason, std::uint64_t count) override;
  bool journal_survives_process() const override { return around_.journal.survives_process(); }
  std::int32_t wait_room(std::chrono::milliseconds time) override;
  std::int32_t emit_within(const hb_reading* readings, std::uint32_t count, std::uint64_t token,
                           std::chrono::milliseconds time) override;

 private:
  using Clock = Journal::Clock;
  void thread_main();
  void destroy();
  // Opens and runs until the source is finished, stopped or failed.
  void work();
  // Waits before the next try; false: stopping.
  bool retry_after(const std::string& error, Backoff& backoff);
  void fail(const std::string& error);
  void set_phase(Phase phase);
  std::int32_t emit_until(const hb_reading* readings, std::uint32_t count, std::uint64_t token,
                          Clock::time_point deadline);
  std::int32_t emit_slice(std::span<const hb_reading> readings, std::uint64_t token, Clock::time_point deadline);
  std::int32_t emit_checked(std::span<const hb_reading> readings, std::uint64_t token, Clock::time_point deadline);
  // False: stopping, or past the deadline.
  bool reject_unsound_ids(std::vector<hb_reading>& buffer, std::size_t& count, SourceTerms& terms,
                          Clock::time_point deadline);

  static constexpr std::size_t kNoIndex = ~std::size_t{0};
  std::atomic<std::size_t> index_{kNoIndex};
  Surroundings around_;
  Instance instance_;
  ProcessorChain processors_;
  RetryLog retry_log_;
  std::thread thread_;

  // Guarded by the board.
  Phase phase_ = Phase::creating;
  bool go_ = false;
  bool released_ = false;
  bool failed_ = false;
  std::string create_error_;

  // Of the emitting thread.
  std::vector<hb_reading> buffer_;
  std::atomic<bool> cut_{false};
  std::atomic<bool> recovering_{false};  // from a failure to the next emit
  std::atomic<std::uint64_t> last_token_{0};
  std::atomic<std::uint64_t> safe_token_{0};  // what acked() has said
};

}  // namespace hbagent
