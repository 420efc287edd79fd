#include "journal/segment_folder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "journal/cursor_file.hpp"
#include "journal/segment_log.hpp"

namespace hbagent {

namespace {

// A journal makes its first segment durable before its first cursor.
void check_new(FileIo& io, const std::filesystem::path& folder) {
  for (const std::string& sink : CursorFile::sinks_in(folder)) {
    if (!CursorFile::peek(io, folder, sink)) continue;
    throw JournalError(
        fmt::format("the journal in {} lacks all of its segments, and {} tells that there were some: put the *.segment "
                    "files back into that folder, or, if they are gone for good with what they held, remove its "
                    "*.cursor files to begin anew",
                    folder.string(), CursorFile::path_of(folder, sink).string()));
  }
}

}  // namespace

SegmentFolder list_segments(const std::filesystem::path& folder) {
  SegmentFolder found;
  std::vector<SegmentFolder::Segment> rewritten;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file()) continue;
    if (const auto segment = parse_file_name(name)) {
      found.segments.push_back({*segment, entry.file_size(), entry.path()});
    } else if (name.starts_with(kSpareFile)) {
      found.spares.push_back(entry.path());
    } else if (name.starts_with(kRewriteFile)) {
      const auto target = parse_file_name(name.substr(std::string_view(kRewriteFile).size()));
      rewritten.push_back({target.value_or(SegmentName{~std::uint64_t{0}, 0}), entry.file_size(), entry.path()});
    }
  }
  const auto by_sequence = [](const auto& a, const auto& b) { return a.name.sequence < b.name.sequence; };
  std::sort(found.segments.begin(), found.segments.end(), by_sequence);
  // The newest gets its name first, when all are complete: where a newer one has its name, these count.
  const std::size_t named = found.segments.size();
  for (auto& segment : rewritten) {
    const auto end = found.segments.begin() + static_cast<std::ptrdiff_t>(named);
    const auto at = std::lower_bound(found.segments.begin(), end, segment, by_sequence);
    if (at != end && at->name.sequence != segment.name.sequence) {
      found.segments.push_back(std::move(segment));
    } else {
      found.leftovers.push_back(std::move(segment.path));
    }
  }
  std::sort(found.segments.begin(), found.segments.end(), by_sequence);
  return found;
}

void check_complete(FileIo& io, const SegmentFolder& found, const std::filesystem::path& folder) {
  if (found.segments.empty()) check_new(io, folder);
  for (std::size_t i = 1; i < found.segments.size(); ++i) {
    const SegmentName& before = found.segments[i - 1].name;
    const SegmentName& here = found.segments[i].name;
    if (here.sequence == before.sequence + 1) continue;
    throw JournalError(fmt::format(
        "the journal in {} lacks segment {}, between {} and {}: put the file back, or, if it is gone for good, let "
        "\"hbagent journal repair\" count its readings as lost",
        folder.string(), before.sequence + 1, file_name(before), file_name(here)));
  }
}

std::optional<SegmentHeader> read_header(FileIo& io, int fd, const std::filesystem::path& file) {
  for (const std::uint64_t offset : {std::uint64_t{0}, kHeaderCopy}) {
    SegmentHeader header{};
    if (io.read(fd, &header, sizeof header, offset, file) < sizeof header) continue;
    if (check(header) != HeaderState::damaged) return header;
  }
  return std::nullopt;
}

std::uint64_t check_headers(FileIo& io, const SegmentFolder& found) {
  std::uint64_t id = 0;
  for (const auto* segment : {&found.segments.front(), &found.segments.back()}) {
    const auto& path = segment->path;
    const UniqueFd fd = io.open(path, false);
    const auto header = read_header(io, fd.get(), path);
    if (!header) continue;
    if (check(*header) == HeaderState::another_version) {
      throw JournalError(
          fmt::format("{} is of version {} of the journal's format, which this hbagent does not read: "
                      "start the version that wrote it, or move the folder away to begin anew",
                      path.string(), header->version));
    }
    // Names are given once: a copy under another one would stand for all that came after its original.
    if (header->sequence != segment->name.sequence && segment->name.first <= found.segments.front().name.first &&
        segment != &found.segments.front()) {
      throw JournalError(
          fmt::format("{} is no segment of its name, but a copy of segment {}: take it out of the folder",
                      path.string(), header->sequence));
    }
    if (id != 0 && header->journal_id != id) {
      throw JournalError(
          fmt::format("{} belongs to another journal than the other segments in its folder: move it "
                      "where it came from",
                      path.string()));
    }
    id = header->journal_id;
  }
  // Where both are damaged any other will do.
  for (auto segment = found.segments.rbegin(); id == 0 && segment != found.segments.rend(); ++segment) {
    const auto header = read_header(io, io.open(segment->path, false).get(), segment->path);
    if (header && check(*header) == HeaderState::sound) id = header->journal_id;
  }
  return id;
}

}  // namespace hbagent
