#include "journal/journal_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "journal/segment_format.hpp"

namespace hbagent {
namespace {

constexpr std::chrono::milliseconds kLookAgain{250};

}  // namespace

std::size_t JournalCore::add_source(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto added = std::make_unique<Source>();
  added->name = name;
  added->id = source_id(name);
  for (const auto& before : sources_) {
    if (before->removed && before->name == name) added->terms += std::exchange(before->terms, {});
  }
  sources_.push_back(std::move(added));
  return sources_.size() - 1;
}

void JournalCore::remove_source(std::size_t index) {
  const std::lock_guard lock(mutex_);
  Source& ended = source(index);
  ended.removed = true;
  if (Source* const account = account_of(ended)) account->terms += std::exchange(ended.terms, {});
}

JournalCore::Source* JournalCore::account_of(const Source& source) const {
  const auto found = std::find_if(sources_.begin(), sources_.end(),
                                  [&](const auto& each) { return !each->removed && each->name == source.name; });
  return found == sources_.end() ? nullptr : found->get();
}

std::size_t JournalCore::add_sink(const JournalSink& spec) {
  const std::lock_guard lock(mutex_);
  auto added = std::make_unique<Sink>();
  added->spec = spec;
  place(*added);
  std::optional<SinkTerms> paused;
  for (const auto& before : sinks_) {
    if (!before->removed || before->spec.name != spec.name) continue;
    paused = before->removed_for_good ? std::nullopt : std::optional(before->terms);
    added->terms += std::exchange(before->terms, {});
  }
  const std::uint64_t mine = added->terms.done() + added->cursor.pending(appended_);
  added->base = appended_ - mine;
  // One that paused began where it did the first time: so it shows whether the pause has cost it anything.
  added->terms.lay_before = paused ? paused->lay_before : mine;
  added->terms.began_at = paused ? paused->began_at : appended_ - opened_at_;
  sinks_.push_back(std::move(added));
  return sinks_.size() - 1;
}

void JournalCore::close_sink(std::size_t index) {
  const std::lock_guard lock(mutex_);
  sink(index).closed_at = appended_;
}

void JournalCore::remove_sink(std::size_t index, bool for_good) {
  {
    const std::lock_guard lock(mutex_);
    sink(index).removed = true;
    sink(index).removed_for_good = for_good;
    cursors_moved();
  }
  has_room_.notify_all();
  more_done_.notify_all();
}

bool JournalCore::wait_room(std::size_t index, Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  if (has_spare_room()) return !source(index).stopped;
  cursors_moved();  // as an append would: a start may find a journal that nobody needs any more
  // After a failed write the time alone may make room: nobody tells of it.
  while (!wait_for_room(
      lock, source(index), [this] { return has_spare_room(); }, std::min(deadline, Clock::now() + kLookAgain))) {
    if (source(index).stopped || Clock::now() >= deadline) return false;
  }
  return true;
}

void JournalCore::account(std::size_t index, const SourceTerms& terms) {
  const std::lock_guard lock(mutex_);
  source(index).terms += terms;
}

std::uint64_t JournalCore::acked(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return source(index).acked;
}

void JournalCore::set_acked(Source& source, std::uint64_t token) {
  if (token <= source.acked) return;
  source.acked = token;
  more_acked_.notify_all();
}

void JournalCore::wait_acked(std::size_t index, std::uint64_t token, Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const Source& waiting = source(index);
  more_acked_.wait_until(lock, deadline, [&] { return waiting.released || waiting.acked >= token; });
}

void JournalCore::stop_source(std::size_t index) {
  {
    const std::lock_guard lock(mutex_);
    source(index).stopped = true;
  }
  has_room_.notify_all();
  next_turn_.notify_all();
}

JournalCore::Turn::Turn(JournalCore& journal, std::unique_lock<std::mutex>& lock, const Source& source,
                        Clock::time_point deadline)
    : journal_(journal), lock_(lock) {
  const bool is_free =
      journal_.next_turn_.wait_until(lock_, deadline, [&] { return source.stopped || !journal_.appending_; });
  held_ = is_free && !source.stopped;
  if (held_) journal_.appending_ = true;
}

JournalCore::Turn::~Turn() {
  if (!held_) return;
  if (!lock_.owns_lock()) lock_.lock();  // an exception on its way
  journal_.appending_ = false;
  journal_.next_turn_.notify_one();
}

void JournalCore::release_source(std::size_t index) {
  {
    const std::lock_guard lock(mutex_);
    source(index).released = true;
  }
  more_acked_.notify_all();
}

void JournalCore::appended_to(std::uint64_t end) {
  appended_ = end;
  for (const auto& sink : sinks_) {
    if (appended_ >= sink->wake_at) sink->wake.notify_one();
  }
}

void JournalCore::drop_before(Sink& sink, std::uint64_t end) {
  if (sink.removed) return;
  const std::uint64_t dropped = sink.cursor.drop_before(std::min(end, sink.closed_at));
  sink.terms.dropped += dropped;
  tell_dropped(sink.spec.name, dropped);
}

void JournalCore::tell_dropped(const std::string& sink, std::uint64_t readings) {
  if (readings == 0) return;
  logger_.warn("journal", fmt::format("full: dropped {} readings that sink {} had still to deliver", readings, sink));
}

std::uint64_t JournalCore::wait(std::size_t index, std::uint64_t wanted, Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  Sink& waiting = sink(index);
  waiting.wake_at = waiting.cursor.live() + std::min(wanted, enough_);
  waiting.wake.wait_until(lock, deadline, [&] {
    const std::uint64_t end = appended_for(waiting);
    return waiting.interrupted || waiting.nudged || end >= waiting.wake_at || waiting.cursor.has_backlog() ||
           (blocked_appenders_ > 0 && end > waiting.cursor.live());
  });
  waiting.wake_at = ~std::uint64_t{0};
  waiting.nudged = false;
  return waiting.cursor.available(appended_for(waiting));
}

void JournalCore::commit(std::size_t index, const SinkTerms& terms) {
  {
    const std::lock_guard lock(mutex_);
    Sink& committing = sink(index);
    if (committing.removed) return;  // it was left behind inside its plugin, and another has its place
    committing.terms += terms;
    committing.cursor.commit();
    cursors_moved();
  }
  has_room_.notify_all();
  more_done_.notify_all();
}

void JournalCore::newest_first(std::size_t index) {
  const std::lock_guard lock(mutex_);
  sink(index).cursor.skip_to(appended_for(sink(index)));
}

void JournalCore::interrupt(std::size_t index) {
  const std::lock_guard lock(mutex_);
  sink(index).interrupted = true;
  sink(index).wake.notify_all();
}

void JournalCore::nudge(std::size_t index) {
  const std::lock_guard lock(mutex_);
  sink(index).nudged = true;
  sink(index).wake.notify_all();
}

std::uint64_t JournalCore::end() const {
  const std::lock_guard lock(mutex_);
  return appended_;
}

bool JournalCore::wait_done(std::uint64_t end, Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  // Not what is kept for sinks that the configuration does not have.
  return more_done_.wait_until(lock, deadline, [&] { return JournalCore::done_by_all() >= end; });
}

std::uint64_t JournalCore::done_by_all() const {
  std::uint64_t oldest = appended_;
  for (const auto& sink : sinks_) {
    if (!sink->removed) oldest = std::min(oldest, sink->cursor.done_to());
  }
  return oldest;
}

Journal::Snapshot JournalCore::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot view;
  view.appended = appended_ - opened_at_;
  for (const auto& source : sources_) view.sources.push_back(source->terms);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i]->removed || account_of(*sources_[i]) == sources_[i].get()) continue;
    const auto account = std::find_if(sources_.begin(), sources_.end(),
                                      [&](const auto& each) { return each.get() == account_of(*sources_[i]); });
    view.sources[static_cast<std::size_t>(account - sources_.begin())] += std::exchange(view.sources[i], {});
  }
  for (const auto& sink : sinks_) {
    view.sinks.push_back(sink->terms);
    if (sink->removed) continue;
    view.sinks.back().pending = sink->cursor.pending(appended_for(*sink));
    view.sinks.back().journaled = appended_for(*sink) - sink->base;
  }
  fill(view);
  return view;
}

void JournalCore::pick(const JournalSink& spec, bool source_wanted, std::uint32_t source,
                       std::span<const hb_reading> readings, JournalBatch& batch) {
  const std::size_t before = batch.readings.size();
  if (source_wanted && spec.flags == 0) {
    batch.readings.insert(batch.readings.end(), readings.begin(), readings.end());
  } else if (source_wanted) {
    std::copy_if(readings.begin(), readings.end(), std::back_inserter(batch.readings),
                 [&](const hb_reading& reading) { return (reading.flags & spec.flags) != 0; });
  }
  const auto taken = static_cast<std::uint32_t>(batch.readings.size() - before);
  batch.filtered += readings.size() - taken;
  if (taken == 0) return;
  if (!batch.runs.empty() && batch.runs.back().source == source) {
    batch.runs.back().count += taken;
  } else {
    batch.runs.push_back({source, taken});
  }
}

}  // namespace hbagent
