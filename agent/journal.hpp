// The journal: the only place where threads meet. Sources append, each sink reads at its own pace.
#pragma once

#include <hbagent/plugin.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "ledger.hpp"

namespace hbagent {

// What a sink takes. Decided once, at the start.
struct SinkFilter {
  std::vector<bool> sources;  // by index; empty: all
  std::uint16_t flags = 0;    // one of these must be set; 0: every reading
};

// Readings copied out of the journal for one sink, until their commit.
struct JournalBatch {
  struct Run {
    std::uint32_t source;
    std::uint32_t count;
  };
  std::vector<hb_reading> readings;  // after the filter, in journal order
  std::vector<Run> runs;             // whose they are; the counts add up to readings.size()
  std::uint64_t end = 0;             // position behind the last reading that was looked at
  std::uint64_t filtered = 0;        // looked at and not wanted

  std::uint32_t source_of(std::size_t index) const;
};

enum class AppendResult { appended, stopped };

// Thread-safe. Positions count readings from the start of the journal. Calls for one source are serial, and so are the
// calls for one sink; `source` and `sink` are indexes.
class Journal {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Journal() = default;

  // Appends readings (there may be none) with the token that covers them, and adds `terms` to the source's account,
  // `journaled` included. Blocks while the journal is full and its policy is to block. `stopped`: the source was
  // stopped meanwhile; what was taken until then stays and is accounted for.
  virtual AppendResult append(std::size_t source, std::span<const hb_reading> readings, std::uint64_t token,
                              SourceTerms terms) = 0;
  // Adds to the source's account what never becomes a reading.
  virtual void account(std::size_t source, const SourceTerms& terms) = 0;
  // The newest token of the source up to which everything is safe; 0: none.
  virtual std::uint64_t acked(std::size_t source) const = 0;
  // Waits until acked(source) reaches `token`, the deadline, or release_source.
  virtual void wait_acked(std::size_t source, std::uint64_t token, Clock::time_point deadline) = 0;
  // No more readings from this source: its blocked append returns.
  virtual void stop_source(std::size_t source) = 0;
  // No more acks for this source: its blocked wait_acked returns.
  virtual void release_source(std::size_t source) = 0;

  // Waits until `wanted` readings lie before the sink, or some while the journal is full, or the deadline, or an
  // interrupt; returns how many there are.
  virtual std::uint64_t wait(std::size_t sink, std::uint64_t wanted, Clock::time_point deadline) = 0;
  // Copies the next readings, at most `limit`. They stay pending until the commit, which must come before the next
  // read.
  virtual void read(std::size_t sink, std::size_t limit, JournalBatch& batch) = 0;
  // Everything before `end` is done; `terms` says how.
  virtual void commit(std::size_t sink, std::uint64_t end, const SinkTerms& terms) = 0;
  // Ends present and future waits of this sink at once.
  virtual void interrupt(std::size_t sink) = 0;

  // One consistent view of all accounts.
  struct Snapshot {
    std::vector<SourceTerms> sources;
    std::vector<SinkTerms> sinks;
    std::uint64_t journaled = 0;
    std::uint64_t used_bytes = 0;
    std::uint64_t max_bytes = 0;
  };
  virtual Snapshot snapshot() const = 0;
};

inline std::uint32_t JournalBatch::source_of(std::size_t index) const {
  for (const Run& run : runs) {
    if (index < run.count) return run.source;
    index -= run.count;
  }
  return 0;
}

}  // namespace hbagent
