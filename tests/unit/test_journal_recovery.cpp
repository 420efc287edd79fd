// Starts of the disk journal on folders that no ordinary run leaves behind.
#include <hbagent/testing.hpp>

#include <fstream>

#include "journal/cursor_file.hpp"
#include "journal/disk_journal.hpp"
#include "journal/frame_scanner.hpp"
#include "journal/journal_folder.hpp"
#include "journal/segment_folder.hpp"
#include "quiet_log.hpp"
#include "stderr_of.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSegment = 1 << 20;

std::vector<hb_reading> readings(std::uint64_t from, std::uint64_t to) {
  std::vector<hb_reading> all;
  for (; from < to; ++from) all.push_back(hb::testing::make_reading("c", static_cast<std::int64_t>(from), 60, 0));
  return all;
}

std::vector<std::int64_t> numbers(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> all;
  for (; from < to; ++from) all.push_back(from);
  return all;
}

std::vector<std::int64_t> drain(Journal& journal, std::size_t sink) {
  std::vector<std::int64_t> all;
  JournalBatch batch;
  while (journal.wait(sink, 1, Journal::Clock::now()) > 0) {
    journal.read(sink, 1000, batch);
    for (const hb_reading& reading : batch.readings) all.push_back(reading.time_us);
    SinkTerms terms;
    terms.delivered = batch.readings.size();
    terms.dropped = batch.damaged;
    journal.commit(sink, terms);
  }
  return all;
}

// A journal made without an agent: its segments begin where a test wants them to.
struct Made {
  Made() : log(*io, {folder.path(), kSegment, 16}) { log.add_source("s"); }
  void append(std::uint64_t to) { log.append(log.end(), source_id("s"), readings(log.end(), to)); }
  fs::path path(std::size_t index) const { return log.segments()[index].path; }

  TemporaryFolder folder;
  std::unique_ptr<FileIo> io = make_posix_file_io();
  SegmentLog log;
};

struct Opened {
  explicit Opened(const fs::path& folder, Logger& logger = quiet())
      : journal(make_posix_file_io(), {folder, 16 * kSegment, false, std::chrono::microseconds(0)}, logger),
        source(journal.add_source("s")),
        sink(journal.add_sink({"one", {}, 0, false})) {}
  DiskJournal journal;
  std::size_t source, sink;
};

void write_at(const fs::path& path, std::uint64_t offset, const void* data, std::size_t size) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  REQUIRE(file.good());
}

// What a start on the folder says above level info.
std::vector<std::string> said_at_start(const fs::path& folder) {
  auto lines = stderr_of(LogFormat::text, [&](Logger& logger) { const Opened opened(folder, logger); });
  std::erase_if(lines, [](const std::string& line) { return line.find(" info ") != std::string::npos; });
  return lines;
}

void damage_headers(const fs::path& path) {
  const std::string zeros(kHeaderBlock, '\0');
  write_at(path, 0, zeros.data(), zeros.size());
}

}  // namespace

TEST_CASE("segments that one before them supersedes may be the oldest: a start reads what replaced them") {
  Made made;
  made.append(50);
  made.log.sync();
  made.append(100);
  made.log.start_segment(100);
  made.append(120);
  REQUIRE(made.log.rewrite(50, 120) == 0);  // from the middle of the first on
  REQUIRE(made.log.segments().size() == 3);
  CursorFile(*made.io, made.folder.path(), "one").write(made.log.journal_id(), SinkCursor(50));
  // Killed between two removals: the first is gone, the second, which begins behind the third, not yet.
  fs::remove(made.path(0));
  CHECK(JournalFolder(*made.io, made.folder.path()).verify().first == 50);
  Opened again(made.folder.path());
  CHECK(again.journal.snapshot().sinks[0].dropped == 0);
  CHECK(drain(again.journal, again.sink) == numbers(50, 120));
  const std::size_t fresh = again.journal.add_sink({"fresh", {}, 0, false});
  CHECK(again.journal.snapshot().sinks[fresh].balanced());
}

TEST_CASE("a frame at a position that no journal comes to is none, and what is appended then is safe") {
  Made made;
  made.append(10);
  const std::uint64_t end = made.log.segments()[0].bytes;
  const auto last = readings(10, 11);
  const SegmentName name = made.log.segments()[0].name;
  const auto forged = make_readings_frame(frame_seed(name.sequence), ~std::uint64_t{0}, source_id("s"), last, 1);
  write_at(made.path(0), end, &forged, sizeof forged);
  write_at(made.path(0), end + sizeof forged, last.data(), sizeof(hb_reading));

  Opened opened(made.folder.path());
  CHECK(opened.journal.snapshot().sinks[0].pending == 10);
  REQUIRE(opened.journal.append(opened.source, readings(10, 12), 1, {}) == AppendResult::appended);
  CHECK(opened.journal.acked(opened.source) == 1);
  CHECK(drain(opened.journal, opened.sink) == numbers(0, 12));
}

TEST_CASE("a segment file of a name that no journal gives is none of its segments") {
  CHECK(parse_file_name("000000000001-00000000000000000007.segment").has_value());
  CHECK_FALSE(parse_file_name("000000000001-18446744073709551615.segment").has_value());
}

TEST_CASE("a journal whose oldest and newest headers are damaged stays one journal") {
  Made made;
  made.log.release(0, true);
  made.append(10);
  made.log.start_segment(10);
  made.append(20);
  made.log.start_segment(20);  // nothing in it yet: a start makes it again
  damage_headers(made.path(0));
  damage_headers(made.path(2));
  const std::uint64_t id = made.log.journal_id();
  {
    const Opened opened(made.folder.path());
    const auto header = read_header(*made.io, made.io->open(made.path(2), false).get(), made.path(2));
    REQUIRE(header.has_value());
    CHECK(header->journal_id == id);
  }
  // The oldest is done with; the next one's header says what the newest one's does.
  fs::remove(made.path(0));
  Opened again(made.folder.path());
  CHECK(drain(again.journal, again.sink) == numbers(10, 20));
}

TEST_CASE("a frame behind megabytes of zeros is found, wherever the blocks that are read end") {
  Made made;
  made.append(10);
  const auto more = readings(10, 11);
  const auto header =
      make_readings_frame(frame_seed(made.log.segments()[0].name.sequence), 10, source_id("s"), more, 1);
  constexpr std::uint64_t kReadAhead = 256 * 1024;
  const std::uint64_t begin = made.log.segments()[0].bytes;
  for (std::uint64_t offset = kHeaderBlock + kReadAhead - 120; offset <= kHeaderBlock + kReadAhead + 80; offset += 8) {
    const std::string zeros(kSegment - begin, '\0');
    write_at(made.path(0), begin, zeros.data(), zeros.size());
    write_at(made.path(0), offset, &header, sizeof header);
    write_at(made.path(0), offset + sizeof header, more.data(), sizeof(hb_reading));
    INFO("at byte " << offset);
    const UniqueFd fd = made.io->open(made.path(0), false);
    FrameScanner scanner(*made.io, fd.get(), made.path(0), made.log.segments()[0].name.sequence, {}, kSegment);
    std::uint64_t count = 0;
    for (auto kind = scanner.next(); kind != FrameScanner::Kind::end; kind = scanner.next()) {
      if (kind == FrameScanner::Kind::frame) count += scanner.header().count;
    }
    REQUIRE(count == 11);
  }
}

TEST_CASE("a write of more pieces than the operating system takes at once is whole") {
  const TemporaryFolder folder;
  const auto io = make_posix_file_io();
  const auto path = folder.path() / "file";
  std::string content;
  for (int i = 0; i < 20'000; ++i) content += static_cast<char>('a' + i % 26);
  std::vector<iovec> parts;
  for (std::size_t at = 0; at < content.size(); at += 100) parts.push_back({content.data() + at, 100});
  const UniqueFd fd = io->open(path, true);
  io->write(fd.get(), parts, 8, path);
  std::string got(content.size() + 16, '\0');
  got.resize(io->read(fd.get(), got.data(), got.size(), 0, path));
  CHECK(got == std::string(8, '\0') + content);
}

TEST_CASE("a start says that the end of the journal is gone, and what each sink had still to get of it") {
  Made made;
  made.append(100);
  made.log.start_segment(100);
  made.append(150);
  const auto cursor = [&](const std::string& sink, const SinkCursor& at) {
    CursorFile(*made.io, made.folder.path(), sink).write(made.log.journal_id(), at);
  };
  cursor("dead", SinkCursor(20));
  cursor("one", SinkCursor(150));
  cursor("slow", SinkCursor(120, {{90, 110}}));
  REQUIRE(said_at_start(made.folder.path()).empty());
  const auto newest = made.path(1);
  std::uint64_t end = 100;
  SECTION("its file is gone") {
    fs::remove(newest);
  }
  SECTION("its file is empty") {
    fs::resize_file(newest, 0);
  }
  SECTION("its file is overwritten") {
    std::string noise(kSegment, '\x5a');
    write_at(newest, 0, noise.data(), noise.size());
  }
  SECTION("its file is cut behind its first frame") {
    made.log.append(150, source_id("s"), readings(150, 200));
    cursor("one", SinkCursor(200));
    fs::resize_file(newest, kHeaderBlock + 50 * sizeof(hb_reading) + 500);
    end = 150;
  }
  const auto lines = said_at_start(made.folder.path());
  REQUIRE_FALSE(lines.empty());
  CHECK_THAT(lines[0], contains_text("journal: the journal ends at position " + std::to_string(end) +
                                     ", but sink one had come to " + std::to_string(end + 50)));
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  CHECK_THAT(all, contains_text("sink dead had still to get 50 readings"));
  CHECK_THAT(all, contains_text(end == 100 ? "sink slow had still to get 40 readings"
                                           : "sink slow had still to get 50 readings"));
  CHECK(all.find("sink one had still") == std::string::npos);
  CHECK(said_at_start(made.folder.path()).empty());  // once: the cursors are set back
}

namespace {

// The sink "one" has no cursor that counts: a start says so, and it gets all 100 readings.
void check_begins_anew(const Made& made) {
  CHECK_FALSE(CursorFile::peek(*made.io, made.folder.path(), "one"));
  const auto lines = stderr_of(LogFormat::text, [&](Logger& logger) {
    Opened opened(made.folder.path(), logger);
    CHECK(drain(opened.journal, opened.sink) == numbers(0, 100));
  });
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], contains_text("one.cursor holds no cursor: sink one begins with the oldest reading"));
}

}  // namespace

TEST_CASE("a cursor that was copied over another sink's is none: nothing is passed over") {
  Made made;
  made.append(100);
  CursorFile(*made.io, made.folder.path(), "fast").write(made.log.journal_id(), SinkCursor(100));
  CursorFile(*made.io, made.folder.path(), "one").write(made.log.journal_id(), SinkCursor(20));
  fs::copy(CursorFile::path_of(made.folder.path(), "fast"), CursorFile::path_of(made.folder.path(), "one"),
           fs::copy_options::overwrite_existing);
  check_begins_anew(made);
}

TEST_CASE("a cursor file that was cut within its first copy holds no cursor, for the agent as for the commands") {
  Made made;
  made.append(100);
  {
    CursorFile file(*made.io, made.folder.path(), "one");
    for (std::uint64_t at = 1; at <= 20; ++at) file.write(made.log.journal_id(), SinkCursor(at));
  }
  fs::resize_file(CursorFile::path_of(made.folder.path(), "one"), 100);
  check_begins_anew(made);
}

TEST_CASE("a damage that is met in pieces is told once, without a count, and counted as a whole") {
  Made made;
  for (std::uint64_t end = 100; end <= 2000; end += 100) made.append(end);
  const std::string noise(1000 * sizeof(hb_reading), '\x5a');
  write_at(made.path(0), kHeaderBlock + 300 * sizeof(hb_reading), noise.data(), noise.size());
  std::uint64_t lost = 0;
  const auto lines = stderr_of(LogFormat::text, [&](Logger& logger) {
    Opened opened(made.folder.path(), logger);
    const std::size_t second = opened.journal.add_sink({"two", {}, 0, false});
    for (const std::size_t sink : {opened.sink, second}) {
      JournalBatch batch;
      while (opened.journal.wait(sink, 1, Journal::Clock::now()) > 0) {
        opened.journal.read(sink, 70, batch);
        SinkTerms terms;
        terms.delivered = batch.readings.size();
        terms.dropped = batch.damaged;
        opened.journal.commit(sink, terms);
      }
    }
    const auto view = opened.journal.snapshot();
    lost = view.sinks[0].dropped;
    CHECK(view.damaged_readings == lost);
    CHECK(view.damaged_frames == 1);
  });
  CHECK(lost > 500);
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], contains_text("readings from position ") && contains_text("hbagent journal verify"));
}

TEST_CASE("a damage that costs no reading is counted, and no line speaks of lost ones") {
  Made made;
  made.append(10);
  made.log.add_source("another");  // its name goes in front of the next readings
  const std::uint64_t at = made.log.segments()[0].bytes;
  made.append(20);
  write_at(made.path(0), at + sizeof(FrameHeader), "x", 1);
  CHECK(stderr_of(LogFormat::text, [&](Logger& logger) {
          Opened opened(made.folder.path(), logger);
          CHECK(drain(opened.journal, opened.sink) == numbers(0, 20));
          CHECK(opened.journal.snapshot().damaged_frames == 1);
        }).empty());
}
