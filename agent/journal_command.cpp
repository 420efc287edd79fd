// hbagent journal: what is on disk, whether it can all be read, and mending it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "command_support.hpp"
#include "journal/cursor_file.hpp"
#include "journal/folder_lock.hpp"
#include "journal/journal_folder.hpp"
#include "journal/segment_log.hpp"
#include "journal_gone.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

namespace fs = std::filesystem;

void print_no_folder(const Config& config, const fs::path& folder) {
  const auto gone = journal_gone(config);
  if (!gone) {
    print_error("{} does not exist: the agent has not run with this configuration yet\n", folder.string());
    return;
  }
  print_error(
      "the journal in {} is gone: put the folder back before the agent starts again; the last run had {} "
      "to deliver (figures of {})\n",
      folder.string(), gone->readings.empty() ? "no readings" : gone->readings, gone->written_at);
}

// Runs `body` with the journal's folder, and turns what goes wrong into a message and an exit code.
template <class Body>
int with_journal(const RunOptions& options, const Body& body) {
  Problems problems(options.config.string());
  std::unique_ptr<PluginCatalog> catalog;
  const auto config = load_config(options.config, options.plugin_dirs, catalog, problems);
  if (config == nullptr) {
    print_problems(problems);
    return kExitUsage;
  }
  if (config->journal.mode != JournalSection::Mode::disk) {
    print_error("{}: [journal] mode is \"memory\": there is no journal on disk\n", options.config.string());
    return kExitUsage;
  }
  const fs::path folder = config->journal_folder();
  return guarded_command([&] {
    if (fs::is_directory(folder)) return body(*config, folder);
    print_no_folder(*config, folder);
    return kExitFailed;
  });
}

template <class Body>
int with_stopped_journal(const RunOptions& options, const Body& body) {
  return with_journal(options, [&](const Config& config, const fs::path& folder) {
    const FolderLock lock(folder);
    if (!lock.held()) {
      print_error("the agent uses the journal in {}: stop it first\n", folder.string());
      return kExitFailed;
    }
    return body(config, folder);
  });
}

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

// Where the cursors and the segments contradict each other: files were lost or cut from outside.
std::uint64_t print_stray_cursors(JournalFolder& folder, std::uint64_t first, std::uint64_t end) {
  std::uint64_t found = 0;
  for (const std::string& sink : CursorFile::sinks_in(folder.path())) {
    const auto content = CursorFile::peek(folder.io(), folder.path(), sink);
    if (!content) {
      print_output("sink {}: its cursor cannot be read; it begins with the oldest reading\n", sink);
    } else if (content->cursor.done_to() < first) {
      SinkCursor cursor = content->cursor;
      print_output("sink {}: {} readings that it had still to deliver are gone: the journal begins behind them\n", sink,
                   grouped(cursor.drop_before(first)));
    } else if (content->cursor.live() > end) {
      print_output("sink {}: it had come to position {}, and the journal ends at {}: its end was cut off\n", sink,
                   content->cursor.live(), end);
    } else {
      continue;
    }
    ++found;
  }
  return found;
}

}  // namespace

int journal_info(const RunOptions& options) {
  return with_journal(options, [](const Config& config, const fs::path& path) {
    const auto io = make_read_only_file_io();
    JournalFolder folder(*io, path);
    const auto& segments = folder.files().segments;
    std::uint64_t bytes = 0;
    for (const auto& segment : segments) bytes += segment.bytes;
    print_output("journal    {}{}\n", path.string(), FolderLock::is_held(path) ? " (in use by an agent)" : "");
    print_output("on disk    {} segments, {} of at most {}; {} spare\n", segments.size(), mebibytes(bytes),
                 mebibytes(config.journal.bound()), folder.files().spares.size());
    if (segments.empty()) return kExitDone;
    const SegmentWalk newest = folder.walk(segments.back(), std::nullopt);
    const SegmentWalk oldest = segments.size() == 1 ? newest : folder.walk(segments.front(), folder.superseded_at(0));
    print_output("readings   positions {} to {}\n", oldest.first, newest.end);
    if (oldest.oldest_us != 0) print_output("oldest     written {}\n", iso_time(oldest.oldest_us));
    if (newest.newest_us != 0) print_output("newest     written {}\n", iso_time(newest.newest_us));
    for (const std::string& sink : CursorFile::sinks_in(path)) {
      const auto content = CursorFile::peek(folder.io(), path, sink);
      const bool configured = std::any_of(config.sinks.begin(), config.sinks.end(),
                                          [&](const InstanceConfig& each) { return each.name() == sink; });
      const std::string note =
          configured ? ""
                     : fmt::format(" (not in the configuration; \"hbagent journal forget {}\" lets go of them)", sink);
      if (!content) {
        print_output("sink       {}: its cursor cannot be read; it begins with the oldest reading\n", sink);
        continue;
      }
      const std::uint64_t end = std::max(newest.end, content->cursor.live());  // an agent may go on meanwhile
      print_output("sink       {}: {} readings to deliver{}\n", sink, grouped(content->cursor.pending(end)), note);
    }
    return kExitDone;
  });
}

int journal_verify(const RunOptions& options) {
  return with_journal(options, [](const Config&, const fs::path& path) {
    const auto io = make_read_only_file_io();
    JournalFolder folder(*io, path);
    const auto& segments = folder.files().segments;
    const bool busy = FolderLock::is_held(path);
    const JournalFolder::Verification found = folder.verify();
    if (!found.incomplete.empty()) print_output("{}\n", found.incomplete);
    for (const auto& [file, damage] : found.places) {
      print_output("damaged: {} at byte {}: {} readings from position {} on\n", file.string(), damage.offset,
                   damage.readings, damage.position);
    }
    const std::uint64_t damages = found.places.size() + (found.incomplete.empty() ? 0 : 1);
    // The cursors of an agent at work have moved on meanwhile.
    const std::uint64_t strays = busy || segments.empty() ? 0 : print_stray_cursors(folder, found.first, found.end);
    print_output("{} segments, {} readings sound, {} damaged places, {} readings lost{}\n", segments.size(),
                 grouped(found.readings), damages, grouped(found.lost),
                 busy ? "; an agent is at work, what it does meanwhile may be left out" : "");
    return damages + strays == 0 ? kExitDone : kExitFailed;
  });
}

int journal_forget(const RunOptions& options, const std::string& sink) {
  return with_stopped_journal(options, [&](const Config& config, const fs::path& path) {
    const auto known = CursorFile::sinks_in(path);
    if (std::find(known.begin(), known.end(), sink) == known.end()) {
      const std::string meant = nearest(sink, known);
      print_error("the journal keeps nothing for a sink \"{}\";{} it knows: {}\n", sink,
                  meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant), joined(known));
      return kExitUsage;
    }
    if (std::any_of(config.sinks.begin(), config.sinks.end(), [&](const auto& each) { return each.name() == sink; })) {
      print_error("the configuration still has the sink \"{}\": take it out first\n", sink);
      return kExitUsage;
    }
    const auto io = make_posix_file_io();
    JournalFolder folder(*io, path);
    const auto content = CursorFile::peek(folder.io(), path, sink);
    std::uint64_t pending = 0;
    if (content && !folder.files().segments.empty()) {
      const std::uint64_t end = folder.walk(folder.files().segments.back(), std::nullopt).end;
      pending = content->cursor.pending(std::max(end, content->cursor.live()));
    }
    folder.io().remove(CursorFile::path_of(path, sink));
    folder.io().sync_folder(path);
    print_output("forgotten: sink \"{}\", with {} readings that it had not delivered\n", sink, grouped(pending));
    return kExitDone;
  });
}

int journal_repair(const RunOptions& options) {
  return with_stopped_journal(options, [](const Config&, const fs::path& path) {
    const auto io = make_posix_file_io();
    JournalFolder folder(*io, path);
    const auto& segments = folder.files().segments;
    if (segments.empty()) {
      check_complete(folder.io(), folder.files(), path);  // where they are gone, there is nothing to mend it with
      print_output("nothing to mend: there are no segments\n");
      return kExitDone;
    }
    const std::uint64_t id = check_headers(folder.io(), folder.files());
    std::size_t made = 0;
    for (std::size_t i = 1; i < segments.size(); ++i) {
      const SegmentName& next = segments[i].name;
      for (std::uint64_t missing = segments[i - 1].name.sequence + 1; missing < next.sequence; ++missing, ++made) {
        // An empty one in its place: what it held shows as lost when a sink comes by.
        const SegmentName name{missing, next.first};
        const auto file = path / file_name(name);
        const UniqueFd fd = folder.io().open(file, true);
        SegmentHeader header = make_segment_header(id, name, 0);
        const iovec part{&header, sizeof header};
        folder.io().write(fd.get(), {&part, 1}, 0, file);
        folder.io().sync(fd.get(), file);
        print_output("segment {} was missing: the readings that it held count as lost\n", missing);
      }
    }
    folder.io().sync_folder(path);
    if (made == 0) print_output("nothing to mend: no segment is missing\n");
    return kExitDone;
  });
}

}  // namespace hbagent
