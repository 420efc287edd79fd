// What a start makes of the cursors that it finds beside the segments.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "journal/disk_journal.hpp"

namespace hbagent {
namespace {

constexpr const char* kComponent = "journal";

// The same place in a journal that ends at `end`.
SinkCursor cut_at(const SinkCursor& cursor, std::uint64_t end) {
  std::vector<PositionSpan> backlog;
  for (PositionSpan span : cursor.backlog()) {
    span.end = std::min(span.end, end);
    if (span.begin < span.end) backlog.push_back(span);
  }
  return {std::min(cursor.live(), end), backlog};
}

}  // namespace

void DiskJournal::load_cursors() {
  std::pair<std::uint64_t, std::string> furthest;
  for (const std::string& name : CursorFile::sinks_in(settings_.folder)) {
    auto files = std::make_unique<SinkFiles>(CursorFile(*io_, settings_.folder, name));
    const auto& content = files->file.found();
    if (!content) {
      logger_.warn(kComponent, fmt::format("{} holds no cursor: sink {} begins with the oldest reading that is kept",
                                           files->file.path().string(), name));
      files->asleep = SinkCursor(log_.first());
    } else if (log_.journal_id() != 0 && content->journal_id != log_.journal_id()) {
      throw JournalError(
          fmt::format("{} belongs to another journal than the segments beside it: put back the segments "
                      "that it came with, or remove it to let sink {} begin anew",
                      files->file.path().string(), name));
    } else {
      files->asleep = content->cursor;
      furthest = std::max(furthest, {content->reached, name});
      log_.set_journal_id(content->journal_id);
    }
    files_.emplace(name, std::move(files));
    awake_[name] = false;
  }
  if (furthest.first > appended_) tell_cut_off(furthest.second, furthest.first);
  for (auto& [name, files] : files_) files->gone = clamp(name, files->asleep);
  store_cursors(true);
}

// Not on the sinks' accounts: after power loss the sources give these readings again.
void DiskJournal::tell_cut_off(const std::string& sink, std::uint64_t reached) const {
  logger_.error(kComponent,
                fmt::format("the journal ends at position {}, but sink {} had come to {}: its end was cut off or its "
                            "file is gone, or power was lost before a sync, and then the sources give those readings "
                            "again",
                            appended_, sink, reached));
  for (const auto& [name, files] : files_) {
    const std::uint64_t cut = files->asleep.pending(reached) - cut_at(files->asleep, appended_).pending(appended_);
    if (cut == 0) continue;
    logger_.error(kComponent,
                  fmt::format("of what the journal lacks at its end, sink {} had still to get {} readings", name, cut));
  }
}

// The journal may end before a cursor, when power was lost before the end was synced, and begin behind it, when a file
// is gone.
std::uint64_t DiskJournal::clamp(const std::string& sink, SinkCursor& cursor) const {
  cursor = cut_at(cursor, appended_);
  const std::uint64_t gone = cursor.drop_before(log_.first());
  if (gone > 0) {
    logger_.error(kComponent,
                  fmt::format("{} readings that sink {} had still to deliver are not in the journal any more: "
                              "a segment file is gone",
                              gone, sink));
  }
  return gone;
}

}  // namespace hbagent
