// The journal: the only place where threads meet. Sources append, each sink reads at its own pace.
#pragma once

#include <hbagent/plugin.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "journal/ledger.hpp"

namespace hbagent {

// A sink as the journal knows it.
struct JournalSink {
  std::string name;
  std::vector<std::string> from;  // names of the sources that it takes; empty: all
  std::uint16_t flags = 0;        // HB_FLAG_* of which one must be set; 0: every reading
  bool from_end = false;          // a sink that the journal has not seen before: from the end on, not from the oldest
};

// Readings copied out of the journal for one sink, until their commit.
struct JournalBatch {
  struct Run {
    std::uint32_t source;  // for source_name
    std::uint32_t count;
  };
  std::vector<hb_reading> readings;  // after the filter, in journal order
  std::vector<Run> runs;             // whose they are; the counts add up to readings.size()
  std::uint64_t filtered = 0;        // looked at and not wanted
  std::uint64_t damaged = 0;         // in the journal, but not to be read any more

  std::uint32_t source_of(std::size_t index) const;
};

// Who has more to append does it in slices: an append takes room for all that it is given at once.
inline constexpr std::size_t kSliceReadings = 4096;

enum class AppendResult { appended, stopped, late, unsynced };

// Thread-safe. Calls for one source are serial, and so are the calls for one sink; `source` and `sink` are what
// add_source and add_sink returned.
class Journal {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Journal() = default;

  // Whether what was appended outlives this process.
  virtual bool survives_process() const = 0;

  // A source of this name begins; its account goes on where one of the same name ended. Where there is one of that name
  // now, this is another way in for the same source: with tokens of its own, on that one's account. At any time.
  virtual std::size_t add_source(const std::string& name) = 0;
  // A source has ended: stop_source and release_source came before. Its account stays.
  virtual void remove_source(std::size_t source) = 0;
  // A sink begins. At any time.
  virtual std::size_t add_sink(const JournalSink& sink) = 0;
  // Nothing that comes from now on is for this sink.
  virtual void close_sink(std::size_t sink) = 0;
  // A sink has ended. A journal on disk keeps its place under its name; one in memory only unless it is `for_good`.
  virtual void remove_sink(std::size_t sink, bool for_good) = 0;

  // Appends readings (there may be none) with the token that covers them, and adds `terms` to the source's account,
  // `journaled` included. Blocks while the journal is full and its policy is to block, and while it cannot be written.
  // `stopped`: the source was stopped meanwhile; `late`: not all by `deadline`; a journal in memory keeps the part that
  // was taken until then, and accounts for it. `unsynced`: all of it was taken, but each append is to be durable, and
  // it was not by `deadline`.
  virtual AppendResult append(std::size_t source, std::span<const hb_reading> readings, std::uint64_t token,
                              SourceTerms terms, Clock::time_point deadline) = 0;
  AppendResult append(std::size_t source, std::span<const hb_reading> readings, std::uint64_t token,
                      SourceTerms terms) {
    return append(source, readings, token, std::move(terms), Clock::time_point::max());
  }
  // Waits until an append of a few readings would not have to wait for room, by all that can be known before; false:
  // not by `deadline`, or the source is stopped.
  virtual bool wait_room(std::size_t source, Clock::time_point deadline) = 0;
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

  // Waits until `wanted` readings lie before the sink, or some while the journal is full or older ones wait behind
  // them, or the deadline, or an interrupt; returns how many there are.
  virtual std::uint64_t wait(std::size_t sink, std::uint64_t wanted, Clock::time_point deadline) = 0;
  // Copies the next readings, at most `limit`. They stay pending until the commit, which must come before the next
  // read. Throws std::system_error when they cannot be read; then they are read again.
  virtual void read(std::size_t sink, std::size_t limit, JournalBatch& batch) = 0;
  // What was read is done; `terms` says how.
  virtual void commit(std::size_t sink, const SinkTerms& terms) = 0;
  // Leaves what waits behind, to be read when there is nothing newer, and now and then.
  virtual void newest_first(std::size_t sink) = 0;
  // Ends present and future waits of this sink at once.
  virtual void interrupt(std::size_t sink) = 0;
  // Ends one wait of this sink: that under way, or else the next.
  virtual void nudge(std::size_t sink) = 0;
  // The position behind all that has been appended so far.
  virtual std::uint64_t end() const = 0;
  // Waits until every sink is done with all before that position; false: the deadline came first.
  virtual bool wait_done(std::uint64_t end, Clock::time_point deadline) = 0;

  virtual std::string source_name(std::uint32_t source) const = 0;  // of a JournalBatch::Run

  // One consistent view of all accounts, by source and sink; those of removed ones are empty.
  struct Snapshot {
    std::vector<SourceTerms> sources;
    std::vector<SinkTerms> sinks;
    std::uint64_t appended = 0;  // readings that came since the journal was opened, by its positions
    std::uint64_t used_bytes = 0;
    std::uint64_t max_bytes = 0;
    std::uint64_t unsynced = 0;          // readings that power loss would take; always 0 in memory
    std::uint64_t damaged_frames = 0;    // found since the start
    std::uint64_t damaged_readings = 0;  // lost with them
    std::string failure;                 // why nothing is accepted at present; empty: all is well
    // Sinks that the configuration does not have, and what is kept for each.
    std::vector<std::pair<std::string, std::uint64_t>> kept_for;
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
