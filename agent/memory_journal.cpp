#include "memory_journal.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hbagent {
namespace {

constexpr std::size_t kKeptFreeChunks = 32;

bool wanted_by(const SinkFilter& filter, std::uint32_t source) {
  return filter.sources.empty() || filter.sources[source];
}

}  // namespace

MemoryJournal::MemoryJournal(Settings settings)
    : max_bytes_(std::max<std::uint64_t>(settings.max_bytes, sizeof(Chunk) + kChunkReadings * sizeof(Entry))),
      drop_oldest_(settings.drop_oldest) {
  for (std::size_t i = 0; i < settings.sources; ++i) sources_.push_back(std::make_unique<Source>());
  for (SinkFilter& filter : settings.sinks) {
    sinks_.push_back(std::make_unique<Sink>());
    sinks_.back()->filter = std::move(filter);
  }
}

std::uint64_t MemoryJournal::used_bytes() const {
  return chunks_.size() * sizeof(Chunk) + entries_.size() * sizeof(Entry);
}

std::size_t MemoryJournal::room() const {
  const std::uint64_t used = used_bytes() + sizeof(Entry);
  const std::uint64_t free_chunks = used < max_bytes_ ? (max_bytes_ - used) / sizeof(Chunk) : 0;
  const std::uint64_t in_last = (first_chunk_ + chunks_.size()) * kChunkReadings - appended_;
  return used > max_bytes_ ? 0 : static_cast<std::size_t>(in_last + free_chunks * kChunkReadings);
}

AppendResult MemoryJournal::append(std::size_t source_index, std::span<const hb_reading> readings, std::uint64_t token,
                                   SourceTerms terms) {
  Source& source = *sources_[source_index];
  const std::lock_guard one_appender(append_mutex_);
  std::unique_lock lock(mutex_);
  if (source.stopped) return AppendResult::stopped;
  terms.journaled = readings.size();
  std::size_t left = readings.size();
  do {
    const std::size_t fits = wait_for_room(lock, source_index, left);
    if (source.stopped) {
      if (left < readings.size()) {
        // The part that was not taken goes back to the source, which emits it again one day.
        terms.journaled -= left;
        const auto of_received = std::min<std::uint64_t>(terms.received, left);
        terms.received -= of_received;
        terms.added -= left - of_received;
        source.terms += terms;
      }
      return AppendResult::stopped;
    }
    const std::size_t take = std::min(left, fits);
    const std::uint64_t end = appended_ + take;
    while ((first_chunk_ + chunks_.size()) * kChunkReadings < end) {
      if (free_.empty()) {
        chunks_.push_back(std::make_shared<Chunk>());
      } else {
        chunks_.push_back(std::move(free_.back()));
        free_.pop_back();
      }
    }
    // No reader looks behind appended_, and no other appender is here: copy without the lock.
    std::vector<Chunk*> targets;
    const std::uint64_t first = appended_;
    for (std::uint64_t at = first / kChunkReadings; at * kChunkReadings < end; ++at) {
      targets.push_back(chunks_[at - first_chunk_].get());
    }
    lock.unlock();
    const hb_reading* from = readings.data() + (readings.size() - left);
    for (std::uint64_t at = first; at < end;) {
      const std::size_t offset = at % kChunkReadings;
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkReadings - offset, end - at));
      std::memcpy(targets[at / kChunkReadings - first / kChunkReadings]->data() + offset, from,
                  count * sizeof(hb_reading));
      from += count;
      at += count;
    }
    lock.lock();
    left -= take;
    if (left == 0) source.last_token = token;  // a part alone makes nothing new safe
    entries_.push_back(
        {first, source.last_token, static_cast<std::uint32_t>(take), static_cast<std::uint32_t>(source_index)});
    appended_ = end;
    if (left == 0) source.terms += terms;
    for (const auto& sink : sinks_) {
      if (appended_ >= sink->wake_at) sink->wake.notify_one();
    }
    if (take == 0) release_done();  // nothing to wait for: the token may be safe already
  } while (left > 0);
  return AppendResult::appended;
}

std::size_t MemoryJournal::wait_for_room(std::unique_lock<std::mutex>& lock, std::size_t source, std::size_t wanted) {
  if (drop_oldest_) drop_oldest(std::clamp<std::size_t>(wanted, 1, kChunkReadings));
  if (room() == 0) {
    // No fuller batch will come: whoever waits for one takes what there is.
    ++blocked_appenders_;
    for (const auto& sink : sinks_) sink->wake.notify_one();
    has_room_.wait(lock, [&] { return sources_[source]->stopped || room() > 0; });
    --blocked_appenders_;
  }
  return room();
}

void MemoryJournal::drop_oldest(std::size_t wanted) {
  while (room() < wanted && !entries_.empty()) {
    const std::uint64_t end = entries_.front().first + entries_.front().count;
    for (const auto& sink : sinks_) {
      // What a sink has in hand is its own to account for.
      if (end <= sink->cursor) continue;
      sink->terms.dropped += end - sink->cursor;
      sink->cursor = end;
    }
    Source& source = *sources_[entries_.front().source];
    source.passed_to = end;
    source.passed_token = entries_.front().token;
    // Readers that still copy from a chunk share its ownership.
    entries_.pop_front();
    const std::uint64_t kept_from = entries_.empty() ? appended_ : entries_.front().first;
    while (!chunks_.empty() && (first_chunk_ + 1) * kChunkReadings <= kept_from) {
      chunks_.pop_front();
      ++first_chunk_;
    }
  }
  ack_passed(done_by_all());
}

// What was dropped is done with; what a sink had in hand meanwhile only when it is committed.
void MemoryJournal::ack_passed(std::uint64_t done) {
  for (const auto& source : sources_) {
    if (source->passed_token == 0 || source->passed_to > done) continue;
    source->acked = std::exchange(source->passed_token, 0);
    more_acked_.notify_all();
  }
}

void MemoryJournal::account(std::size_t source, const SourceTerms& terms) {
  const std::lock_guard lock(mutex_);
  sources_[source]->terms += terms;
}

std::uint64_t MemoryJournal::acked(std::size_t source) const {
  return sources_[source]->acked;
}

void MemoryJournal::stop_source(std::size_t source) {
  {
    const std::lock_guard lock(mutex_);
    sources_[source]->stopped = true;
  }
  has_room_.notify_all();
}

void MemoryJournal::release_source(std::size_t source) {
  {
    const std::lock_guard lock(mutex_);
    sources_[source]->released = true;
  }
  more_acked_.notify_all();
}

void MemoryJournal::wait_acked(std::size_t source_index, std::uint64_t token, Clock::time_point deadline) {
  const Source& source = *sources_[source_index];
  std::unique_lock lock(mutex_);
  more_acked_.wait_until(lock, deadline, [&] { return source.released || source.acked >= token; });
}

std::uint64_t MemoryJournal::wait(std::size_t sink_index, std::uint64_t wanted, Clock::time_point deadline) {
  Sink& sink = *sinks_[sink_index];
  std::unique_lock lock(mutex_);
  sink.wake_at = sink.cursor + wanted;
  sink.wake.wait_until(lock, deadline, [&] {
    return sink.interrupted || appended_ >= sink.wake_at || (blocked_appenders_ > 0 && appended_ > sink.cursor);
  });
  sink.wake_at = ~std::uint64_t{0};
  return appended_ - sink.cursor;
}

void MemoryJournal::read(std::size_t sink_index, std::size_t limit, JournalBatch& batch) {
  Sink& sink = *sinks_[sink_index];
  batch.readings.clear();
  batch.runs.clear();
  batch.filtered = 0;
  std::vector<Entry> parts;
  std::vector<std::shared_ptr<Chunk>> chunks;
  std::uint64_t chunk_base = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t begin = sink.cursor;
    batch.end = std::min(appended_, begin + limit);
    sink.held_from = begin;
    sink.held_to = batch.end;
    sink.cursor = batch.end;
    if (batch.end == begin) return;
    auto entry = std::partition_point(entries_.begin(), entries_.end(),
                                      [&](const Entry& each) { return each.first + each.count <= begin; });
    for (; entry != entries_.end() && entry->first < batch.end; ++entry) {
      const std::uint64_t from = std::max(entry->first, begin);
      const std::uint64_t to = std::min(entry->first + entry->count, batch.end);
      if (to > from) parts.push_back({from, entry->token, static_cast<std::uint32_t>(to - from), entry->source});
    }
    chunk_base = begin / kChunkReadings;
    for (std::uint64_t at = chunk_base; at * kChunkReadings < batch.end; ++at) {
      chunks.push_back(chunks_[at - first_chunk_]);
    }
  }
  for (const Entry& part : parts) {
    const std::size_t before = batch.readings.size();
    for (std::uint64_t at = part.first; wanted_by(sink.filter, part.source) && at < part.first + part.count;) {
      const std::size_t offset = at % kChunkReadings;
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(kChunkReadings - offset, part.first + part.count - at));
      const hb_reading* from = chunks[at / kChunkReadings - chunk_base]->data() + offset;
      if (sink.filter.flags == 0) {
        batch.readings.insert(batch.readings.end(), from, from + count);
      } else {
        std::copy_if(from, from + count, std::back_inserter(batch.readings),
                     [&](const hb_reading& reading) { return (reading.flags & sink.filter.flags) != 0; });
      }
      at += count;
    }
    const auto taken = static_cast<std::uint32_t>(batch.readings.size() - before);
    batch.filtered += part.count - taken;
    if (taken > 0 && !batch.runs.empty() && batch.runs.back().source == part.source) {
      batch.runs.back().count += taken;
    } else if (taken > 0) {
      batch.runs.push_back({part.source, taken});
    }
  }
}

void MemoryJournal::commit(std::size_t sink_index, std::uint64_t end, const SinkTerms& terms) {
  Sink& sink = *sinks_[sink_index];
  {
    const std::lock_guard lock(mutex_);
    sink.terms += terms;
    sink.held_from = sink.held_to = end;
    release_done();
  }
  has_room_.notify_all();
}

std::uint64_t MemoryJournal::done_by_all() const {
  std::uint64_t oldest = appended_;
  for (const auto& sink : sinks_) oldest = std::min(oldest, sink->done_to());
  return oldest;
}

void MemoryJournal::release_done() {
  const std::uint64_t done = done_by_all();
  ack_passed(done);
  while (!entries_.empty() && entries_.front().first + entries_.front().count <= done) {
    sources_[entries_.front().source]->acked = entries_.front().token;
    entries_.pop_front();
    more_acked_.notify_all();
  }
  while (!chunks_.empty() && (first_chunk_ + 1) * kChunkReadings <= done) {
    // A reader may still hold it, when it reads what another round of drop_oldest has passed.
    if (chunks_.front().use_count() == 1 && free_.size() < kKeptFreeChunks) free_.push_back(std::move(chunks_.front()));
    chunks_.pop_front();
    ++first_chunk_;
  }
}

void MemoryJournal::interrupt(std::size_t sink) {
  {
    const std::lock_guard lock(mutex_);
    sinks_[sink]->interrupted = true;
  }
  sinks_[sink]->wake.notify_all();
}

Journal::Snapshot MemoryJournal::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot view;
  for (const auto& source : sources_) view.sources.push_back(source->terms);
  for (const auto& sink : sinks_) {
    view.sinks.push_back(sink->terms);
    view.sinks.back().pending = sink->held() + appended_ - sink->cursor;
  }
  view.journaled = appended_;
  view.used_bytes = used_bytes();
  view.max_bytes = max_bytes_;
  return view;
}

}  // namespace hbagent
