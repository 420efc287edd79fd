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

class ProcessorChain {
 public:
  // Everything referred to outlives the chain.
  ProcessorChain(std::span<const InstanceConfig> processors, const std::string& source, Logger& logger,
                 DeadLetterBox& dead_letters, const std::filesystem::path& state_dir);

  // [source-thread] All or none. Statuses as of the ABI.
  bool create(std::string& error);
  std::int32_t open(std::string& error);
  void close();
  void destroy();

  // [emitting thread] Processes the first `count` of `buffer`, whose size is the capacity, and returns how many are
  // left at its front. What was removed or added is counted in `terms`. A processor that asks to retry is retried with
  // backoff. Returns a negative number when stopping, or when a processor failed (`failed`): nothing may be journaled
  // then.
  std::int64_t process(std::vector<hb_reading>& buffer, std::size_t count, SourceTerms& terms, bool& failed);

  bool empty() const { return instances_.empty(); }
  void request_stop();
  const std::vector<std::unique_ptr<Instance>>& instances() const { return instances_; }

 private:
  // One processor; false: stopping or failed.
  bool process_one(Instance& instance, std::vector<hb_reading>& buffer, std::uint32_t& count, SourceTerms& terms,
                   bool& failed);
  bool apply_verdicts(Instance& instance, std::vector<hb_reading>& buffer, std::uint32_t& count,
                      const std::vector<Verdict>& verdicts, SourceTerms& terms);
  bool keep_dead_letter(Instance& instance, const hb_reading& reading, const Verdict& verdict);

  const std::string source_;
  DeadLetterBox& dead_letters_;
  std::vector<std::unique_ptr<Instance>> instances_;
  VerdictList verdicts_;
  std::vector<hb_reading> before_;  // what a retry starts from
};

}  // namespace hbagent
