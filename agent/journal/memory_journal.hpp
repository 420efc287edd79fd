// The journal in memory: chunks of readings that are handed from hand to hand and reused while still in the cache.
#pragma once

#include <array>
#include <deque>
#include <map>

#include "journal/journal_core.hpp"

namespace hbagent {

class MemoryJournal final : public JournalCore {
 public:
  struct Settings {
    std::uint64_t max_bytes = 0;  // at least one chunk is allowed
    bool drop_oldest = false;
  };
  MemoryJournal(const Settings& settings, Logger& logger);
  bool survives_process() const override { return false; }

  using Journal::append;
  AppendResult append(std::size_t source, std::span<const hb_reading> readings, std::uint64_t token, SourceTerms terms,
                      Clock::time_point deadline) override;
  void remove_sink(std::size_t sink, bool for_good) override;
  void read(std::size_t sink, std::size_t limit, JournalBatch& batch) override;
  std::string source_name(std::uint32_t source) const override;

  static constexpr std::size_t kChunkReadings = 1024;

 private:
  using Chunk = std::array<hb_reading, kChunkReadings>;

  // Readings of one emit, or a part of one, in [first, first + count).
  struct Entry {
    std::uint64_t first;
    std::uint64_t token;  // safe once this entry is done
    std::uint32_t count;
    std::uint32_t source;
  };
  struct Parked {
    SinkCursor cursor;
    std::uint64_t gone = 0;  // dropped meanwhile
  };
  // What drop_oldest has taken out of the journal while a sink had it in hand: safe once all sinks are behind `end`.
  struct Passed {
    std::uint64_t end;
    std::uint64_t token;
    std::uint32_t source;
  };

  void place(Sink& sink) override;
  void cursors_moved() override;
  void fill(Snapshot& view) const override;
  bool has_spare_room() const override { return drop_oldest_ || room() >= kChunkReadings / 2; }
  std::uint64_t done_by_all() const override;
  std::size_t room() const;  // readings that fit now
  bool make_room(std::unique_lock<std::mutex>& lock, const Source& source, std::size_t wanted,
                 Clock::time_point deadline);
  void add_chunks(std::uint64_t end);
  void drop_oldest(std::size_t wanted);
  void ack_passed(std::uint64_t done);
  std::uint64_t used_bytes() const;

  const std::uint64_t max_bytes_;
  const bool drop_oldest_;

  std::map<std::string, Parked> parked_;  // of sinks that are about to come back
  std::deque<Entry> entries_;
  std::vector<Passed> passed_;                 // one a source at most
  std::deque<std::shared_ptr<Chunk>> chunks_;  // from first_chunk_ * kChunkReadings on
  std::vector<std::shared_ptr<Chunk>> free_;   // the last one freed is the warmest
  std::uint64_t first_chunk_ = 0;
};

}  // namespace hbagent
