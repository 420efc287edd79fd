#include "journal/disk_journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr const char* kComponent = "journal";
constexpr std::chrono::seconds kRetryWrite{1};
constexpr std::uint64_t kLargestSegment = 16 << 20;
constexpr std::uint64_t kSmallestSegment = 1 << 20;

SegmentLog::Settings segments_for(const DiskJournal::Settings& settings) {
  const std::uint64_t size =
      std::clamp(settings.max_bytes / 16, kSmallestSegment, kLargestSegment) / kHeaderBlock * kHeaderBlock;
  return {settings.folder, size, static_cast<std::size_t>(settings.max_bytes / size)};
}

// drop_oldest takes a whole segment, which may hold one reading that a sink still waits for: so a sink that is awake
// from here on has as much room again before it. The least that full segments hold is frames of one reading.
std::uint64_t wake_sinks_at(const SegmentLog::Settings& log) {
  const std::uint64_t least = (log.segment_size - kHeaderBlock) / (sizeof(FrameHeader) + sizeof(hb_reading));
  return std::max<std::uint64_t>(1, least * (std::max<std::size_t>(log.max_segments, 2) - 1) / 2);
}

bool source_wanted(const std::vector<std::uint32_t>& wanted, std::uint32_t source) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), source) != wanted.end();
}

}  // namespace

DiskJournal::DiskJournal(std::unique_ptr<FileIo> io, const Settings& settings, Logger& logger)
    : JournalCore(logger),
      io_(std::move(io)),
      settings_(settings),
      folder_lock_(settings.folder),
      log_(*io_, folder_lock_.held() ? segments_for(settings)
                                     : throw JournalError(fmt::format(
                                           "another process uses the journal in {}; stop it, or give this one its own",
                                           settings.folder.string()))) {
  enough_ = wake_sinks_at(segments_for(settings));
  appended_ = opened_at_ = log_.end();
  synced_ = log_.segments().back().name.first;  // what an earlier run may not have made durable becomes so now
  load_cursors();
  if (log_.torn_bytes() > 0) {
    logger_.warn(kComponent, fmt::format("{} bytes behind the last whole frame were cut off: an append was under way "
                                         "when the agent or the machine stopped",
                                         log_.torn_bytes()));
  }
  thread_ = std::thread([this] { sync_thread(); });
}

DiskJournal::~DiskJournal() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  sync_wake_.notify_all();
  thread_.join();
  store_cursors(true);
}

// ---- sources -----------------------------------------------------------------------------------------------------

std::size_t DiskJournal::add_source(const std::string& name) {
  log_.add_source(name);
  return JournalCore::add_source(name);
}

AppendResult DiskJournal::append(std::size_t index, std::span<const hb_reading> readings, std::uint64_t token,
                                 SourceTerms terms, Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  Source& from = source(index);
  const Turn turn(*this, lock, from, deadline);
  terms.journaled = readings.size();
  if (!turn.held()) return given_up(from);
  if (readings.empty()) {
    from.last_token = token;
    from.terms += terms;
    if (synced_ == appended_) {
      set_acked(from, token);
    } else {
      token_waits_ = true;
      wake_sync();
    }
    return AppendResult::appended;
  }
  for (;;) {
    if (!make_room(lock, from, readings.size(), deadline)) return given_up(from);
    std::string error;
    if (write(lock, from, readings, token, terms, error)) break;
    note_failure(write_failure_, error);
    write_again_at_ = Clock::now() + kRetryWrite;
    has_room_.wait_until(lock, std::min(write_again_at_, deadline), [&] { return from.stopped; });
    if (from.stopped || Clock::now() >= deadline) return given_up(from);
  }
  clear_failure(write_failure_);
  wake_sync();
  if (settings_.sync_interval.count() == 0) {
    const std::uint64_t mine = appended_;
    if (!synced_changed_.wait_until(lock, deadline, [&] { return synced_ >= mine || from.stopped; })) {
      return AppendResult::unsynced;
    }
  }
  return AppendResult::appended;
}

bool DiskJournal::make_room(std::unique_lock<std::mutex>& lock, const Source& source, std::size_t readings,
                            Clock::time_point deadline) {
  if (has_room(readings)) return !source.stopped;
  // A start may find segments that every sink is done with; no commit will come to let go of them.
  cursors_moved();
  if (settings_.drop_oldest) {
    while (sync_failure_.empty() && !has_room(readings) && !source.stopped && Clock::now() < deadline) {
      lock.unlock();
      const bool dropped = drop_oldest();
      lock.lock();
      // Nothing to drop may mean that the sync thread was faster, and there is room.
      if (dropped) continue;
      has_room_.wait_until(lock, std::min(Clock::now() + kRetryWrite, deadline),
                           [&] { return source.stopped || has_room(readings); });
    }
  }
  return wait_for_room(
      lock, source, [&] { return has_room(readings); }, deadline);
}

bool DiskJournal::write(std::unique_lock<std::mutex>& lock, Source& source, std::span<const hb_reading> readings,
                        std::uint64_t token, const SourceTerms& terms, std::string& error) {
  lock.unlock();
  const std::lock_guard one_writer(write_mutex_);
  const std::uint64_t position = log_.end();
  try {
    if (!log_.fits(readings.size())) log_.start_segment(position);
    log_.append(position, source.id, readings);
  } catch (const std::system_error& failure) {
    error = failure.what();
    lock.lock();
    return false;
  }
  // Still the only writer: a rewriting after a failed sync sees all that was written.
  lock.lock();
  source.last_token = token;
  source.terms += terms;
  appended_to(log_.end());
  return true;
}

// The oldest segment goes, whoever still has to read it; what a sink has in hand stays its own to account for.
bool DiskJournal::drop_oldest() {
  const auto end = log_.oldest_end();
  if (!end) return false;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& sink : sinks_) drop_before(*sink, *end);
    for (auto& [name, files] : files_) {
      if (awake_[name]) continue;
      const std::uint64_t dropped = files->asleep.drop_before(*end);
      files->gone += dropped;
      tell_dropped(name, dropped);
    }
  }
  store_cursors(true);
  try {
    return log_.release(*end, true);
  } catch (const std::system_error& failure) {
    const std::lock_guard lock(mutex_);
    note_failure(write_failure_, failure.what());
    return false;
  }
}

// ---- sinks -------------------------------------------------------------------------------------------------------

std::size_t DiskJournal::add_sink(const JournalSink& spec) {
  {
    const std::lock_guard files_lock(files_mutex_);
    const std::lock_guard lock(mutex_);
    if (!files_.contains(spec.name)) {
      auto files = std::make_unique<SinkFiles>(CursorFile(*io_, settings_.folder, spec.name));
      files->asleep = SinkCursor(spec.from_end ? appended_ : log_.first());
      files_.emplace(spec.name, std::move(files));
    }
    SinkFiles& files = *files_.at(spec.name);
    files.wanted.clear();
    for (const std::string& name : spec.from) files.wanted.push_back(source_id(name));
    files.reader = std::make_unique<SegmentReader>(*io_, log_);
    awake_[spec.name] = true;
  }
  const std::size_t index = JournalCore::add_sink(spec);
  store_cursors(true);
  return index;
}

void DiskJournal::place(Sink& sink) {
  SinkFiles& files = *files_.at(sink.spec.name);
  sink.cursor = files.asleep;
  sink.terms.dropped += std::exchange(files.gone, 0);
}

void DiskJournal::remove_sink(std::size_t index, bool for_good) {
  {
    const std::lock_guard lock(mutex_);
    Sink& ending = sink(index);
    ending.cursor.put_back();
    const std::string& name = ending.spec.name;
    files_.at(name)->asleep = ending.cursor;
    awake_[name] = false;
  }
  JournalCore::remove_sink(index, for_good);
  store_cursors(true);
}

void DiskJournal::read(std::size_t index, std::size_t limit, JournalBatch& batch) {
  batch.readings.clear();
  batch.runs.clear();
  batch.filtered = 0;
  batch.damaged = 0;
  PositionSpan span;
  SinkFiles* files = nullptr;
  const JournalSink* spec = nullptr;
  {
    const std::lock_guard lock(mutex_);
    Sink& reading = sink(index);
    spec = &reading.spec;
    files = files_.at(spec->name).get();
    // A read that failed left them in hand.
    span = reading.cursor.held().size() > 0 ? reading.cursor.held() : reading.cursor.take(limit, appended_for(reading));
  }
  std::uint64_t dropped = 0;
  files->reader->read(span, {[&](std::uint32_t source, std::span<const hb_reading> readings) {
                               pick(*spec, source_wanted(files->wanted, source), source, readings, batch);
                             },
                             [&](const SegmentReader::Damage& damage) {
                               batch.damaged += damage.readings;
                               note_damage(damage);
                             },
                             [&](std::uint64_t readings) { dropped += readings; }});
  batch.damaged += dropped;
  tell_dropped(spec->name, dropped);
}

// A damage is met piece by piece, by each sink: how much of it is lost shows when all of it was met.
void DiskJournal::note_damage(const SegmentReader::Damage& damage) {
  const PositionSpan met{damage.position, damage.position + damage.readings};
  {
    const std::lock_guard lock(mutex_);
    PositionSpan& known = damages_[{damage.sequence, damage.offset}];
    if (met.size() == 0) return;
    const bool news = known.size() == 0;
    known = news ? met : PositionSpan{std::min(known.begin, met.begin), std::max(known.end, met.end)};
    if (!news) return;
  }
  logger_.error(kComponent,
                fmt::format("damaged: {} at byte {}: readings from position {} on are lost; what follows is read, and "
                            "\"hbagent journal verify\" counts them",
                            damage.file.string(), damage.offset, damage.position));
}

void DiskJournal::commit(std::size_t index, const SinkTerms& terms) {
  JournalCore::commit(index, terms);
  const std::lock_guard files_lock(files_mutex_);
  SinkCursor cursor;
  SinkFiles* files = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (sink(index).removed) return;
    cursor = sink(index).cursor;
    files = files_.at(sink(index).spec.name).get();
  }
  try {
    files->file.write(log_.journal_id(), cursor);
    const std::lock_guard lock(mutex_);
    clear_failure(cursor_failure_);
  } catch (const std::system_error& failure) {
    note_cursor_failure(failure.what());
  }
}

void DiskJournal::newest_first(std::size_t index) {
  JournalCore::newest_first(index);
}

std::string DiskJournal::source_name(std::uint32_t source) const {
  return log_.source_name(source);
}

void DiskJournal::store_cursors(bool durable) {
  const std::lock_guard files_lock(files_mutex_);
  std::map<std::string, SinkCursor> cursors;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, files] : files_) {
      if (!awake_[name]) cursors[name] = files->asleep;
    }
    for (const auto& sink : sinks_) {
      if (!sink->removed) cursors[sink->spec.name] = sink->cursor;
    }
  }
  try {
    for (const auto& [name, cursor] : cursors) {
      CursorFile& file = files_.at(name)->file;
      file.write(log_.journal_id(), cursor);
      if (durable) file.sync();
    }
    const std::lock_guard lock(mutex_);
    clear_failure(cursor_failure_);
  } catch (const std::system_error& failure) {
    note_cursor_failure(failure.what());
  }
}

// Harmless to what is stored: after a crash some readings would be delivered again. Nothing is released meanwhile.
void DiskJournal::note_cursor_failure(const std::string& error) {
  const std::lock_guard lock(mutex_);
  note_failure(cursor_failure_, error);
}

void DiskJournal::note_failure(std::string& failure, const std::string& error) {
  const bool news = failure != error;
  failure = error;
  if (news) {
    logger_.error(kComponent, error + "; trying again until it succeeds, sources wait and nothing is lost meanwhile");
  }
}

void DiskJournal::clear_failure(std::string& failure) {
  if (failure.empty()) return;
  logger_.info(kComponent, "works again after: " + failure);
  failure.clear();
}

std::uint64_t DiskJournal::done_by_all() const {
  std::uint64_t done = JournalCore::done_by_all();
  for (const auto& [name, files] : files_) {
    if (const auto awake = awake_.find(name); awake == awake_.end() || !awake->second) {
      done = std::min(done, files->asleep.done_to());
    }
  }
  return done;
}

void DiskJournal::cursors_moved() {
  const auto end = log_.oldest_end();
  if (!end || *end > done_by_all()) return;
  release_wanted_ = true;
  wake_sync();
}

void DiskJournal::fill(Snapshot& view) const {
  view.used_bytes = log_.used_bytes();
  view.max_bytes = log_.max_bytes();
  view.unsynced = appended_ - synced_;
  view.damaged_frames = damages_.size();
  for (const auto& [place, lost] : damages_) view.damaged_readings += lost.size();
  for (const std::string* failure : {&write_failure_, &sync_failure_, &cursor_failure_}) {
    if (view.failure.empty()) view.failure = *failure;
  }
  for (const auto& [name, files] : files_) {
    if (!awake_.at(name)) view.kept_for.emplace_back(name, files->asleep.pending(appended_));
  }
}

}  // namespace hbagent
