// One source's own instances of the processors, run in file order on the thread that emits.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dead_letters.hpp"
#include "instance.hpp"
#include "journal/ledger.hpp"

namespace hbagent {

// Room for what processors add to a slice of a batch.
inline constexpr std::size_t kSpareReadings = 1024;

// Waits `pause`, but not past `deadline`; false: the instance is stopping, or it is too late for another try.
bool wait_to_retry(Instance& instance, std::chrono::microseconds pause, std::chrono::steady_clock::time_point deadline);

// Sees what each processor does. Called on the emitting thread.
class ProcessorWatch {
 public:
  virtual ~ProcessorWatch() = default;
  // Of the `count` readings that it had or, at their end, added, those with a verdict go now.
  virtual void processed(std::size_t count, const std::vector<Verdict>& verdicts) = 0;
  // A call did not succeed. Whether one that asks to retry may be tried again.
  virtual bool failed(const Instance& processor, const std::string& error) = 0;
};

class ProcessorChain {
 public:
  using Clock = std::chrono::steady_clock;
  // Everything referred to outlives the chain.
  ProcessorChain(std::span<const InstanceConfig> processors, const std::string& source, Logger& logger,
                 DeadLetterBox& dead_letters, const std::filesystem::path& state_dir);

  // [source-thread] All or none. Statuses as of the ABI.
  bool create(std::string& error);
  // Where in the file what create found wrong is to be mended; `otherwise` where it was none of the processors.
  Place place_of_error(const std::string& error, Place otherwise) const;
  std::int32_t open(std::string& error);
  void close();
  void destroy();

  // [emitting thread] Processes the first `count` of `buffer`, whose size is the capacity, and returns how many are
  // left at its front. What was removed or added is counted in `terms`. A processor that asks to retry is retried with
  // backoff until `deadline`. Returns a negative number when stopping or late, or when a processor failed (`failed`):
  // nothing may be journaled then.
  std::int64_t process(std::vector<hb_reading>& buffer, std::size_t count, SourceTerms& terms, bool& failed,
                       Clock::time_point deadline = Clock::time_point::max());

  // `watch` outlives the chain. Before process.
  void set_watch(ProcessorWatch& watch) { watch_ = &watch; }
  bool empty() const { return instances_.empty(); }
  void request_stop();
  const std::vector<std::unique_ptr<Instance>>& instances() const { return instances_; }

 private:
  // One processor; false: stopping, late or failed.
  bool process_one(Instance& instance, std::vector<hb_reading>& buffer, std::uint32_t& count, SourceTerms& terms,
                   bool& failed);
  bool apply_verdicts(Instance& instance, std::vector<hb_reading>& buffer, std::uint32_t& count,
                      const std::vector<Verdict>& verdicts, SourceTerms& terms);
  bool keep_dead_letter(Instance& instance, const hb_reading& reading, const Verdict& verdict);

  const std::string source_;
  DeadLetterBox& dead_letters_;
  ProcessorWatch* watch_ = nullptr;
  std::vector<std::unique_ptr<Instance>> instances_;
  VerdictList verdicts_;
  std::vector<hb_reading> before_;  // what a retry starts from
  Clock::time_point deadline_;      // of the call of process that is under way
};

}  // namespace hbagent
