// What a journal in memory and one on disk share: the accounts, the cursors, and who waits for whom.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "journal/journal.hpp"
#include "journal/sink_cursor.hpp"
#include "log.hpp"

namespace hbagent {

class JournalCore : public Journal {
 public:
  explicit JournalCore(Logger& logger) : logger_(logger) {}
  std::size_t add_source(const std::string& name) override;
  void remove_source(std::size_t source) override;
  std::size_t add_sink(const JournalSink& sink) override;
  void close_sink(std::size_t sink) override;
  void remove_sink(std::size_t sink, bool for_good) override;
  bool wait_room(std::size_t source, Clock::time_point deadline) override;
  void account(std::size_t source, const SourceTerms& terms) override;
  std::uint64_t acked(std::size_t source) const override;
  void wait_acked(std::size_t source, std::uint64_t token, Clock::time_point deadline) override;
  void stop_source(std::size_t source) override;
  void release_source(std::size_t source) override;
  std::uint64_t wait(std::size_t sink, std::uint64_t wanted, Clock::time_point deadline) override;
  void commit(std::size_t sink, const SinkTerms& terms) override;
  void newest_first(std::size_t sink) override;
  void interrupt(std::size_t sink) override;
  void nudge(std::size_t sink) override;
  std::uint64_t end() const override;
  bool wait_done(std::uint64_t end, Clock::time_point deadline) override;
  Snapshot snapshot() const override;

 protected:
  struct Source {
    std::string name;
    std::uint32_t id = 0;  // source_id of the name
    SourceTerms terms;
    std::uint64_t acked = 0;
    std::uint64_t last_token = 0;  // of its last complete emit
    bool stopped = false;
    bool released = false;
    bool removed = false;
  };
  struct Sink {
    JournalSink spec;
    SinkTerms terms;
    SinkCursor cursor;
    std::uint64_t base = 0;                       // its `journaled` is what was appended less this
    std::uint64_t closed_at = ~std::uint64_t{0};  // nothing from here on is for it
    std::uint64_t wake_at = ~std::uint64_t{0};
    bool interrupted = false;
    bool nudged = false;
    bool removed = false;
    bool removed_for_good = false;
    std::condition_variable wake;
  };

  // One appends at a time, also while it waits for room; the others wait for their turn. Made and ended with mutex_
  // held.
  class Turn {
   public:
    Turn(JournalCore& journal, std::unique_lock<std::mutex>& lock, const Source& source, Clock::time_point deadline);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool held() const { return held_; }  // false: the source was stopped, or it was late, before its turn came

   private:
    JournalCore& journal_;
    std::unique_lock<std::mutex>& lock_;
    bool held_ = false;
  };

  // All of them are called with mutex_ held.
  // Sets the cursor of a new sink, and `dropped` where readings are gone that it had still to read.
  virtual void place(Sink& sink) = 0;
  virtual void cursors_moved() = 0;             // some sink is done with more than before
  virtual void fill(Snapshot& view) const = 0;  // what the journal itself has to say
  virtual bool has_spare_room() const = 0;      // for more than one append

  Source& source(std::size_t index) const { return *sources_[index]; }
  Sink& sink(std::size_t index) const { return *sinks_[index]; }
  virtual std::uint64_t done_by_all() const;
  std::uint64_t appended_for(const Sink& sink) const { return std::min(appended_, sink.closed_at); }
  void set_acked(Source& source, std::uint64_t token);
  void appended_to(std::uint64_t end);  // wakes the sinks that wait for it
  // when_full = "drop_oldest" takes what lies before `end` from a sink that is configured.
  void drop_before(Sink& sink, std::uint64_t end);
  void tell_dropped(const std::string& sink, std::uint64_t readings);
  // Why an append that could not go on must return.
  static AppendResult given_up(const Source& source) {
    return source.stopped ? AppendResult::stopped : AppendResult::late;
  }
  // Waits until `room` holds; false: not by `deadline`, or the source is stopped. Sinks take what there is meanwhile.
  template <class Room>
  bool wait_for_room(std::unique_lock<std::mutex>& lock, const Source& source, Room room, Clock::time_point deadline);
  // Copies what the sink wants out of readings of one source; counts the others as filtered.
  static void pick(const JournalSink& spec, bool source_wanted, std::uint32_t source,
                   std::span<const hb_reading> readings, JournalBatch& batch);

  Logger& logger_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::uint64_t appended_ = 0;
  std::uint64_t opened_at_ = 0;  // appended_ when the journal was opened
  std::condition_variable has_room_;
  std::size_t blocked_appenders_ = 0;
  // A sink that waits for more is woken at this: before a journal that drops the oldest would have to.
  std::uint64_t enough_ = ~std::uint64_t{0};

 private:
  // The first source of that name that has not ended; nullptr: none.
  Source* account_of(const Source& source) const;

  std::condition_variable more_acked_, more_done_, next_turn_;
  bool appending_ = false;
};

template <class Room>
bool JournalCore::wait_for_room(std::unique_lock<std::mutex>& lock, const Source& source, Room room,
                                Clock::time_point deadline) {
  if (room() || source.stopped) return !source.stopped;
  // No fuller batch will come: whoever waits for one takes what there is.
  ++blocked_appenders_;
  for (const auto& sink : sinks_) sink->wake.notify_one();
  const bool has_room = has_room_.wait_until(lock, deadline, [&] { return source.stopped || room(); });
  --blocked_appenders_;
  return has_room && !source.stopped;
}

}  // namespace hbagent
