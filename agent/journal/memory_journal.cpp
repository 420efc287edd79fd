#include "journal/memory_journal.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hbagent {
namespace {

constexpr std::size_t kKeptFreeChunks = 32;

// Takes `readings` of what is journaled out of `terms`; both parts balance as the whole did.
SourceTerms split_off(SourceTerms& terms, std::uint64_t readings) {
  SourceTerms part;
  part.journaled = readings;
  part.received = std::min(terms.received, readings);
  part.added = readings - part.received;
  terms.journaled -= part.journaled;
  terms.received -= part.received;
  terms.added -= part.added;
  return part;
}

}  // namespace

MemoryJournal::MemoryJournal(const Settings& settings, Logger& logger)
    : JournalCore(logger),
      max_bytes_(std::max<std::uint64_t>(settings.max_bytes, sizeof(Chunk) + kChunkReadings * sizeof(Entry))),
      drop_oldest_(settings.drop_oldest) {
  enough_ = std::max<std::uint64_t>(1, max_bytes_ / (sizeof(hb_reading) + sizeof(Entry)) / 2);
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

AppendResult MemoryJournal::append(std::size_t index, std::span<const hb_reading> readings, std::uint64_t token,
                                   SourceTerms terms, Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  Source& from = source(index);
  const Turn turn(*this, lock, from, deadline);
  if (!turn.held()) return given_up(from);
  terms.journaled = readings.size();
  std::size_t left = readings.size();
  do {
    if (!make_room(lock, from, left, deadline)) {
      if (left < readings.size()) {
        // The part that was not taken goes back to the source, which emits it again one day.
        split_off(terms, left);
        from.terms += terms;
      }
      return given_up(from);
    }
    const std::size_t take = std::min(left, room());
    const std::uint64_t first = appended_;
    const std::uint64_t end = first + take;
    add_chunks(end);
    // No reader looks behind appended_, and no other appender is here: copy without the lock.
    std::vector<Chunk*> targets;
    for (std::uint64_t at = first / kChunkReadings; at * kChunkReadings < end; ++at) {
      targets.push_back(chunks_[at - first_chunk_].get());
    }
    lock.unlock();
    const hb_reading* next = readings.data() + (readings.size() - left);
    for (std::uint64_t at = first; at < end;) {
      const std::size_t offset = at % kChunkReadings;
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkReadings - offset, end - at));
      std::memcpy(targets[at / kChunkReadings - first / kChunkReadings]->data() + offset, next,
                  count * sizeof(hb_reading));
      next += count;
      at += count;
    }
    lock.lock();
    left -= take;
    if (left == 0) from.last_token = token;  // a part alone makes nothing new safe
    entries_.push_back({first, from.last_token, static_cast<std::uint32_t>(take), static_cast<std::uint32_t>(index)});
    from.terms += left == 0 ? terms : split_off(terms, take);
    appended_to(end);
    if (take == 0) cursors_moved();  // nothing to wait for: the token may be safe already
  } while (left > 0);
  return AppendResult::appended;
}

void MemoryJournal::add_chunks(std::uint64_t end) {
  while ((first_chunk_ + chunks_.size()) * kChunkReadings < end) {
    if (free_.empty()) {
      chunks_.push_back(std::make_shared<Chunk>());
    } else {
      chunks_.push_back(std::move(free_.back()));
      free_.pop_back();
    }
  }
}

bool MemoryJournal::make_room(std::unique_lock<std::mutex>& lock, const Source& source, std::size_t wanted,
                              Clock::time_point deadline) {
  if (drop_oldest_) drop_oldest(std::clamp<std::size_t>(wanted, 1, kChunkReadings));
  return wait_for_room(
      lock, source, [&] { return room() > 0; }, deadline);
}

void MemoryJournal::drop_oldest(std::size_t wanted) {
  while (room() < wanted && !entries_.empty()) {
    const Entry entry = entries_.front();
    const std::uint64_t end = entry.first + entry.count;
    // What a sink has in hand is its own to account for.
    for (const auto& sink : sinks_) drop_before(*sink, end);
    for (auto& [name, parked] : parked_) {
      const std::uint64_t dropped = parked.cursor.drop_before(end);
      parked.gone += dropped;
      tell_dropped(name, dropped);
    }
    std::erase_if(passed_, [&](const Passed& before) { return before.source == entry.source; });
    passed_.push_back({end, entry.token, entry.source});
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
  std::erase_if(passed_, [&](const Passed& passed) {
    if (passed.end > done) return false;
    set_acked(source(passed.source), passed.token);
    return true;
  });
}

void MemoryJournal::read(std::size_t index, std::size_t limit, JournalBatch& batch) {
  batch.readings.clear();
  batch.runs.clear();
  batch.filtered = 0;
  batch.damaged = 0;
  struct Part {
    std::uint64_t first;
    std::uint64_t end;
    std::uint32_t source;
    bool wanted;
  };
  std::vector<Part> parts;
  std::vector<std::shared_ptr<Chunk>> chunks;
  std::uint64_t chunk_base = 0;
  const JournalSink* spec = nullptr;
  {
    const std::lock_guard lock(mutex_);
    Sink& reading = sink(index);
    spec = &reading.spec;
    const PositionSpan span = reading.cursor.take(limit, appended_for(reading));
    if (span.size() == 0) return;
    auto entry = std::partition_point(entries_.begin(), entries_.end(),
                                      [&](const Entry& each) { return each.first + each.count <= span.begin; });
    for (; entry != entries_.end() && entry->first < span.end; ++entry) {
      const std::string& name = source(entry->source).name;
      const bool wanted =
          spec->from.empty() || std::find(spec->from.begin(), spec->from.end(), name) != spec->from.end();
      parts.push_back(
          {std::max(entry->first, span.begin), std::min(entry->first + entry->count, span.end), entry->source, wanted});
    }
    chunk_base = span.begin / kChunkReadings;
    for (std::uint64_t at = chunk_base; at * kChunkReadings < span.end; ++at) {
      chunks.push_back(chunks_[at - first_chunk_]);
    }
  }
  for (const Part& part : parts) {
    for (std::uint64_t at = part.first; at < part.end;) {
      const std::size_t offset = at % kChunkReadings;
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkReadings - offset, part.end - at));
      const hb_reading* from = chunks[at / kChunkReadings - chunk_base]->data() + offset;
      pick(*spec, part.wanted, part.source, {from, count}, batch);
      at += count;
    }
  }
}

std::string MemoryJournal::source_name(std::uint32_t index) const {
  const std::lock_guard lock(mutex_);
  return source(index).name;
}

void MemoryJournal::remove_sink(std::size_t index, bool for_good) {
  if (!for_good) {
    const std::lock_guard lock(mutex_);
    sink(index).cursor.put_back();
    parked_[sink(index).spec.name] = {sink(index).cursor, 0};
  }
  JournalCore::remove_sink(index, for_good);
}

std::uint64_t MemoryJournal::done_by_all() const {
  std::uint64_t done = JournalCore::done_by_all();
  for (const auto& [name, parked] : parked_) done = std::min(done, parked.cursor.done_to());
  return done;
}

void MemoryJournal::place(Sink& sink) {
  if (const auto parked = parked_.find(sink.spec.name); parked != parked_.end()) {
    sink.cursor = parked->second.cursor;
    sink.terms.dropped += parked->second.gone;
    parked_.erase(parked);
    return;
  }
  sink.cursor = SinkCursor(sink.spec.from_end || entries_.empty() ? appended_ : entries_.front().first);
}

void MemoryJournal::cursors_moved() {
  const std::uint64_t done = done_by_all();
  ack_passed(done);
  while (!entries_.empty() && entries_.front().first + entries_.front().count <= done) {
    set_acked(source(entries_.front().source), entries_.front().token);
    entries_.pop_front();
  }
  while (!chunks_.empty() && (first_chunk_ + 1) * kChunkReadings <= done) {
    // A reader may still hold it, when it reads what another round of drop_oldest has passed.
    if (chunks_.front().use_count() == 1 && free_.size() < kKeptFreeChunks) free_.push_back(std::move(chunks_.front()));
    chunks_.pop_front();
    ++first_chunk_;
  }
}

void MemoryJournal::fill(Snapshot& view) const {
  view.used_bytes = used_bytes();
  view.max_bytes = max_bytes_;
}

}  // namespace hbagent
