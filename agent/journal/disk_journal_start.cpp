// What a start makes of the cursors that it finds beside the segments.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "journal/disk_journal.hpp"

namespace hbagent {
namespace {

constexpr const char* kComponent = "journal";

}  // namespace

void DiskJournal::load_cursors() {
  for (const std::string& name : CursorFile::sinks_in(settings_.folder)) {
    auto files = std::make_unique<SinkFiles>(CursorFile(*io_, settings_.folder, name));
    const auto content = files->file.read();
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
      log_.set_journal_id(content->journal_id);
    }
    files->gone = clamp(name, files->asleep);
    files_.emplace(name, std::move(files));
    awake_[name] = false;
  }
  store_cursors(true);
}

// The journal may end before a cursor, when power was lost before the end was synced, and begin behind it, when a file
// is gone.
std::uint64_t DiskJournal::clamp(const std::string& sink, SinkCursor& cursor) const {
  std::vector<PositionSpan> backlog;
  for (PositionSpan span : cursor.backlog()) {
    span.end = std::min(span.end, appended_);
    if (span.begin < span.end) backlog.push_back(span);
  }
  cursor = SinkCursor(std::min(cursor.live(), appended_), backlog);
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
