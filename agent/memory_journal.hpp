// The journal in memory: chunks of readings that are handed from hand to hand and reused while still in the cache.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "journal.hpp"

namespace hbagent {

class MemoryJournal final : public Journal {
 public:
  struct Settings {
    std::uint64_t max_bytes = 0;  // at least one chunk is allowed
    bool drop_oldest = false;
    std::size_t sources = 0;
    std::vector<SinkFilter> sinks;
  };
  explicit MemoryJournal(Settings settings);

  AppendResult append(std::size_t source, std::span<const hb_reading> readings, std::uint64_t token,
                      SourceTerms terms) override;
  void account(std::size_t source, const SourceTerms& terms) override;
  std::uint64_t acked(std::size_t source) const override;
  void stop_source(std::size_t source) override;
  void release_source(std::size_t source) override;
  void wait_acked(std::size_t source, std::uint64_t token, Clock::time_point deadline) override;
  std::uint64_t wait(std::size_t sink, std::uint64_t wanted, Clock::time_point deadline) override;
  void read(std::size_t sink, std::size_t limit, JournalBatch& batch) override;
  void commit(std::size_t sink, std::uint64_t end, const SinkTerms& terms) override;
  void interrupt(std::size_t sink) override;
  Snapshot snapshot() const override;

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
  struct Source {
    SourceTerms terms;
    std::atomic<std::uint64_t> acked{0};
    std::uint64_t last_token = 0;  // of its last complete emit
    // What drop_oldest has taken out of the journal while a sink had it in hand: safe once all sinks are behind this.
    std::uint64_t passed_to = 0;
    std::uint64_t passed_token = 0;  // 0: none
    bool stopped = false;
    bool released = false;
  };
  struct Sink {
    SinkFilter filter;
    SinkTerms terms;
    std::uint64_t cursor = 0;     // where the next read begins
    std::uint64_t held_from = 0;  // what it has in hand, read and not committed: [held_from, held_to)
    std::uint64_t held_to = 0;
    std::uint64_t held() const { return held_to - held_from; }
    std::uint64_t done_to() const { return held() > 0 ? held_from : cursor; }
    std::uint64_t wake_at = ~std::uint64_t{0};
    bool interrupted = false;
    std::condition_variable wake;
  };

  std::size_t room() const;  // readings that fit now
  std::size_t wait_for_room(std::unique_lock<std::mutex>& lock, std::size_t source, std::size_t wanted);
  void drop_oldest(std::size_t wanted);
  void release_done();
  void ack_passed(std::uint64_t done);
  std::uint64_t done_by_all() const;
  std::uint64_t used_bytes() const;

  const std::uint64_t max_bytes_;
  const bool drop_oldest_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::unique_ptr<Sink>> sinks_;

  std::mutex append_mutex_;  // one appender at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable has_room_;
  std::size_t blocked_appenders_ = 0;
  std::condition_variable more_acked_;
  std::deque<Entry> entries_;
  std::deque<std::shared_ptr<Chunk>> chunks_;  // from first_chunk_ * kChunkReadings on
  std::vector<std::shared_ptr<Chunk>> free_;   // the last one freed is the warmest
  std::uint64_t first_chunk_ = 0;
  std::uint64_t appended_ = 0;
};

}  // namespace hbagent
