// The journal on disk: what it promises through ends of every kind.
#include <hbagent/testing.hpp>

#include <fstream>
#include <optional>
#include <random>
#include <thread>

#include "fault_file_io.hpp"
#include "journal/cursor_file.hpp"
#include "journal/disk_journal.hpp"
#include "journal/segment_folder.hpp"
#include "quiet_log.hpp"
#include "stderr_of.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSegment = 1 << 20;  // of a journal of up to 16 MiB

DiskJournal::Settings in(const fs::path& folder, std::uint64_t max_bytes = 16 << 20) {
  return {folder, max_bytes, false, std::chrono::milliseconds(1)};
}

// Readings whose time is their serial number.
std::vector<hb_reading> numbered(std::uint64_t& next, std::size_t count, std::uint16_t flags = 0) {
  std::vector<hb_reading> readings;
  for (std::size_t i = 0; i < count; ++i) {
    readings.push_back(
        hb::testing::make_reading("c" + std::to_string(next % 7), static_cast<std::int64_t>(next), 60, flags));
    ++next;
  }
  return readings;
}

AppendResult append(Journal& journal, std::size_t source, const std::vector<hb_reading>& readings,
                    std::uint64_t token) {
  SourceTerms terms;
  terms.received = readings.size();
  return journal.append(source, readings, token, terms);
}

void commit(Journal& journal, std::size_t sink, const JournalBatch& batch) {
  SinkTerms terms;
  terms.delivered = batch.readings.size();
  terms.filtered = batch.filtered;
  terms.dropped = batch.damaged;
  journal.commit(sink, terms);
}

// Everything that waits for the sink, as serial numbers; committed unless asked not to.
std::vector<std::int64_t> drain(Journal& journal, std::size_t sink, std::size_t limit = 3000) {
  std::vector<std::int64_t> all;
  JournalBatch batch;
  while (journal.wait(sink, 1, Journal::Clock::now()) > 0) {
    journal.read(sink, limit, batch);
    for (const hb_reading& reading : batch.readings) all.push_back(reading.time_us);
    commit(journal, sink, batch);
  }
  return all;
}

std::vector<std::int64_t> from_to(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> all;
  for (; from < to; ++from) all.push_back(from);
  return all;
}

struct Opened {
  explicit Opened(const DiskJournal::Settings& settings, std::unique_ptr<FileIo> io = make_posix_file_io(),
                  Logger& logger = quiet())
      : journal(std::move(io), settings, logger),
        source(journal.add_source("s")),
        sink(journal.add_sink({"one", {}, 0, false})) {}
  DiskJournal journal;
  std::size_t source, sink;
};

// The folder as it is at this moment: what a process that is killed now would leave behind.
struct Snapshot {
  explicit Snapshot(const fs::path& folder) { fs::copy(folder, copy.path(), fs::copy_options::recursive); }
  TemporaryFolder copy;
};

// The sync thread's next renaming of a segment waits until the thread that called hold() has stored a cursor.
class HeldRename final : public FaultyFileIo {
 public:
  HeldRename() : FaultyFileIo(std::make_shared<FileFaults>()) {}
  void hold() {
    appender_ = std::this_thread::get_id();
    holding_ = true;
  }
  void wait_held() const {
    while (!held_) std::this_thread::yield();
  }
  void rename(const fs::path& from, const fs::path& to) override {
    held_ = holding_.load();
    while (holding_) std::this_thread::yield();
    FaultyFileIo::rename(from, to);
  }
  void sync(int fd, const fs::path& file) override {
    FaultyFileIo::sync(fd, file);
    if (held_ && std::this_thread::get_id() == appender_) holding_ = false;
  }

 private:
  std::atomic<bool> holding_{false}, held_{false};
  std::thread::id appender_;
};

void wait_synced(const Journal& journal) {
  const auto deadline = Journal::Clock::now() + std::chrono::seconds(30);
  while (journal.snapshot().unsynced > 0) {
    if (Journal::Clock::now() > deadline) FAIL("not synced within 30 s");
    std::this_thread::yield();
  }
}

}  // namespace

TEST_CASE("what append has returned for survives the end of the process") {
  TemporaryFolder folder;
  auto settings = in(folder.path());
  settings.sync_interval = std::chrono::seconds(10);  // nothing here waits for a sync
  Opened first(settings);
  std::uint64_t next = 0;
  append(first.journal, first.source, numbered(next, 1), 1);
  append(first.journal, first.source, numbered(next, 2500), 2);
  JournalBatch batch;
  first.journal.read(first.sink, 100, batch);
  commit(first.journal, first.sink, batch);
  first.journal.read(first.sink, 100, batch);  // in hand, not committed

  const Snapshot killed(folder.path());
  Opened second(in(killed.copy.path()));
  const auto view = second.journal.snapshot();
  CHECK(view.sinks[0].pending == 2401);
  CHECK(view.sinks[0].journaled == 2401);
  CHECK(drain(second.journal, second.sink) == from_to(100, 2501));
  append(second.journal, second.source, numbered(next, 3), 1);
  CHECK(drain(second.journal, second.sink) == from_to(2501, 2504));
  CHECK(second.journal.snapshot().sinks[0].balanced());
}

TEST_CASE("a token is acked when it is synced, whatever the sinks do") {
  TemporaryFolder folder;
  Opened made(in(folder.path()));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 10), 5);
  made.journal.wait_acked(made.source, 5, Journal::Clock::now() + std::chrono::seconds(30));
  CHECK(made.journal.acked(made.source) == 5);
  append(made.journal, made.source, {}, 6);
  made.journal.wait_acked(made.source, 6, Journal::Clock::now() + std::chrono::seconds(30));
  CHECK(made.journal.acked(made.source) == 6);
  CHECK(made.journal.snapshot().sinks[0].pending == 10);
}

TEST_CASE("with sync_interval 0 append returns when its readings are durable") {
  TemporaryFolder folder;
  auto settings = in(folder.path());
  settings.sync_interval = std::chrono::microseconds(0);
  Opened made(settings);
  std::uint64_t next = 0;
  for (std::uint64_t token = 1; token < 20; ++token) {
    append(made.journal, made.source, numbered(next, token), token);
    CHECK(made.journal.snapshot().unsynced == 0);
    CHECK(made.journal.acked(made.source) == token);
  }
}

TEST_CASE("segments that every sink has passed are used again, and the bound holds") {
  TemporaryFolder folder;
  Opened made(in(folder.path(), 4 * kSegment));
  std::uint64_t next = 0;
  std::int64_t seen = 0;
  for (std::uint64_t token = 1; token <= 200; ++token) {
    REQUIRE(append(made.journal, made.source, numbered(next, 1000), token) == AppendResult::appended);
    for (const std::int64_t each : drain(made.journal, made.sink)) REQUIRE(each == seen++);
    REQUIRE(made.journal.snapshot().used_bytes <= 4 * kSegment);
  }
  CHECK(seen == 200'000);
  std::uintmax_t on_disk = 0;
  for (const auto& entry : fs::directory_iterator(folder.path())) on_disk += entry.file_size();
  CHECK(on_disk <= 4 * kSegment + 2 * 8192);
}

TEST_CASE("a full journal on disk blocks its source until the slowest sink has made room") {
  TemporaryFolder folder;
  Opened made(in(folder.path(), 2 * kSegment));
  const std::size_t slow = made.journal.add_sink({"slow", {}, 0, false});
  std::uint64_t next = 0;
  std::thread appender([&] {
    for (std::uint64_t token = 1; token <= 60; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  });
  std::int64_t fast_seen = 0, slow_seen = 0;
  JournalBatch batch;
  while (slow_seen < 60'000) {
    for (const std::int64_t each : drain(made.journal, made.sink)) REQUIRE(each == fast_seen++);
    made.journal.wait(slow, 1, Journal::Clock::time_point::max());
    made.journal.read(slow, 700, batch);
    for (const hb_reading& reading : batch.readings) REQUIRE(reading.time_us == slow_seen++);
    commit(made.journal, slow, batch);
    REQUIRE(made.journal.snapshot().used_bytes <= 2 * kSegment);
  }
  appender.join();
  CHECK(drain(made.journal, made.sink).size() + static_cast<std::size_t>(fast_seen) == 60'000);
}

TEST_CASE("drop_oldest on disk drops whole segments, counts them for each sink, and remembers it") {
  TemporaryFolder folder;
  auto settings = in(folder.path(), 3 * kSegment);
  settings.drop_oldest = true;
  std::uint64_t next = 0;
  std::uint64_t dropped = 0;
  {
    Opened made(settings);
    const std::size_t other = made.journal.add_sink({"other", {}, 0, false});
    for (std::uint64_t token = 1; token <= 100; ++token) {
      REQUIRE(append(made.journal, made.source, numbered(next, 1000), token) == AppendResult::appended);
      if (token == 5) drain(made.journal, other);
    }
    const auto view = made.journal.snapshot();
    dropped = view.sinks[0].dropped;
    CHECK(dropped > 50'000);
    CHECK(view.sinks[1].dropped == dropped - 5000);
    for (const auto& sink : view.sinks) CHECK(sink.balanced());
    CHECK(view.used_bytes <= view.max_bytes);
  }
  Opened again(settings);
  CHECK(again.journal.snapshot().sinks[0].dropped == 0);
  CHECK(drain(again.journal, again.sink) == from_to(static_cast<std::int64_t>(dropped), 100'000));
}

TEST_CASE("a drop and a commit that let go of the same segment do not get in each other's way") {
  TemporaryFolder folder;
  auto settings = in(folder.path(), 2 * kSegment);
  settings.drop_oldest = true;
  const auto faults = std::make_shared<FileFaults>();
  Opened made(settings, faulty_file_io(faults));
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) drain(made.journal, made.sink);
  });
  std::uint64_t next = 0;
  for (std::uint64_t token = 1; token <= 5000; ++token) append(made.journal, made.source, numbered(next, 100), token);
  done = true;
  reader.join();
  CHECK(faults->own_failures() == 0);
  CHECK(made.journal.snapshot().sinks[made.sink].balanced());
}

TEST_CASE("what is dropped while a sink has it in hand is told as a drop, and is no damage") {
  TemporaryFolder folder;
  auto settings = in(folder.path(), 2 * kSegment);
  settings.drop_oldest = true;
  const auto faults = std::make_shared<FileFaults>();
  std::uint64_t next = 0;
  const auto lines = stderr_of(LogFormat::text, [&](Logger& logger) {
    Opened made(settings, faulty_file_io(faults), logger);
    append(made.journal, made.source, numbered(next, 1000), 1);
    JournalBatch batch;
    faults->fail("read", EIO);
    CHECK_THROWS_AS(made.journal.read(made.sink, 700, batch), std::system_error);  // they stay in hand
    faults->clear();
    for (std::uint64_t token = 2; token <= 60; ++token) append(made.journal, made.source, numbered(next, 1000), token);
    made.journal.read(made.sink, 700, batch);
    CHECK(batch.readings.empty());
    commit(made.journal, made.sink, batch);
    const auto view = made.journal.snapshot();
    CHECK(view.damaged_frames == 0);
    CHECK(view.damaged_readings == 0);
    CHECK(view.sinks[0].balanced());
  });
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  CHECK(all.find("damaged:") == std::string::npos);
  CHECK_THAT(all, contains_text("full: dropped 700 readings that sink one had still to deliver"));
}

TEST_CASE("where the sync thread has made room first, an appender that drops the oldest does not wait") {
  TemporaryFolder folder;
  auto settings = in(folder.path(), 2 * kSegment);
  settings.drop_oldest = true;
  auto io = std::make_unique<HeldRename>();
  HeldRename& held = *io;
  Opened made(settings, std::move(io));
  std::uint64_t next = 0, token = 0;
  while (made.journal.snapshot().used_bytes < 2 * kSegment) {
    append(made.journal, made.source, numbered(next, 1000), ++token);
  }
  append(made.journal, made.source, numbered(next, 12'000), ++token);  // no room for as many again
  held.hold();
  drain(made.journal, made.sink);  // lets go of the oldest segment, on the sync thread
  held.wait_held();
  const auto begin = Journal::Clock::now();
  append(made.journal, made.source, numbered(next, 12'000), ++token);
  CHECK(Journal::Clock::now() - begin < std::chrono::milliseconds(900));
}

TEST_CASE("what is dropped while the configuration lacks a sink is on its account when it is back") {
  TemporaryFolder folder;
  auto settings = in(folder.path(), 3 * kSegment);
  settings.drop_oldest = true;
  std::uint64_t next = 0;
  Opened made(settings);
  const std::size_t other = made.journal.add_sink({"other", {}, 0, false});
  append(made.journal, made.source, numbered(next, 1000), 1);
  made.journal.remove_sink(other, true);
  for (std::uint64_t token = 2; token <= 100; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  const std::size_t back = made.journal.add_sink({"other", {}, 0, false});
  const auto view = made.journal.snapshot();
  CHECK(view.sinks[back].dropped == view.sinks[0].dropped);
  CHECK(view.sinks[back].journaled == 100'000);
  CHECK(view.sinks[back].balanced());
}

TEST_CASE("readings of a segment file that is gone are dropped on the sink's account") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path()));
    for (std::uint64_t token = 1; token <= 30; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  const auto segments = list_segments(folder.path()).segments;
  REQUIRE(segments.size() > 1);
  fs::remove(segments[0].path);
  Opened again(in(folder.path()));
  const auto terms = again.journal.snapshot().sinks[0];
  CHECK(terms.dropped == segments[1].name.first);
  CHECK(terms.journaled == 30'000);
  CHECK(terms.balanced());
  CHECK(drain(again.journal, again.sink) == from_to(static_cast<std::int64_t>(terms.dropped), 30'000));
}

TEST_CASE("a new sink begins with the oldest reading that is kept, or at the end") {
  TemporaryFolder folder;
  Opened made(in(folder.path()));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 10), 1);
  const std::size_t earliest = made.journal.add_sink({"earliest", {}, 0, false});
  const std::size_t latest = made.journal.add_sink({"latest", {}, 0, true});
  append(made.journal, made.source, numbered(next, 10), 2);
  CHECK(drain(made.journal, earliest) == from_to(0, 20));
  CHECK(drain(made.journal, latest) == from_to(10, 20));
}

TEST_CASE("a sink that the configuration lost keeps its place, and what it has still to deliver") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path(), 4 * kSegment));
    const std::size_t gone = made.journal.add_sink({"gone", {}, 0, false});
    append(made.journal, made.source, numbered(next, 10), 1);
    JournalBatch batch;
    made.journal.read(gone, 4, batch);
    commit(made.journal, gone, batch);
  }
  {
    Opened made(in(folder.path(), 4 * kSegment));
    const auto kept = made.journal.snapshot().kept_for;
    REQUIRE(kept.size() == 1);
    CHECK(kept[0] == std::pair<std::string, std::uint64_t>("gone", 6));
    append(made.journal, made.source, numbered(next, 1000), 1);
    CHECK(drain(made.journal, made.sink).size() == 1010);
  }
  Opened made(in(folder.path(), 4 * kSegment));
  const std::size_t back = made.journal.add_sink({"gone", {}, 0, false});
  CHECK(drain(made.journal, back) == from_to(4, 1010));
}

TEST_CASE("from and where leave readings out also after a restart, by the names of their sources") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path()));
    const std::size_t other = made.journal.add_source("other");
    append(made.journal, made.source, numbered(next, 3), 1);
    append(made.journal, other, numbered(next, 3, HB_FLAG_HIGH), 1);
  }
  DiskJournal journal(make_posix_file_io(), in(folder.path()), quiet());
  const std::size_t from = journal.add_sink({"from", {"other"}, 0, false});
  const std::size_t where = journal.add_sink({"where", {"s", "other"}, HB_FLAG_HIGH, false});
  JournalBatch batch;
  journal.read(from, 100, batch);
  CHECK(batch.readings.size() == 3);
  CHECK(batch.filtered == 3);
  CHECK(journal.source_name(batch.source_of(0)) == "other");
  journal.read(where, 100, batch);
  CHECK(batch.readings.size() == 3);
}

TEST_CASE("looking whether a journal is in use is in nobody's way") {
  TemporaryFolder folder;
  CHECK_FALSE(FolderLock::is_held(folder.path()));
  CHECK(fs::is_empty(folder.path()));
  {
    const Opened made(in(folder.path()));
    CHECK(FolderLock::is_held(folder.path()));
    CHECK_THROWS_AS(DiskJournal(make_posix_file_io(), in(folder.path()), quiet()), JournalError);
    CHECK(FolderLock::is_held(folder.path()));  // what was refused has not let go of it
  }
  std::atomic<bool> done{false};
  std::thread looker([&] {
    while (!done) (void)FolderLock::is_held(folder.path());
  });
  int refused = 0;
  for (int i = 0; i < 2000; ++i) refused += FolderLock(folder.path()).held() ? 0 : 1;
  done = true;
  looker.join();
  CHECK(refused == 0);
}

TEST_CASE("a second process may not use the journal") {
  TemporaryFolder folder;
  const Opened made(in(folder.path()));
  CHECK_THROWS_AS(DiskJournal(make_posix_file_io(), in(folder.path()), quiet()), JournalError);
}

TEST_CASE("what a sink had in hand when its cursor was stored comes first again") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  std::optional<Snapshot> killed;
  {
    Opened made(in(folder.path()));
    append(made.journal, made.source, numbered(next, 100), 1);
    JournalBatch batch;
    made.journal.read(made.sink, 40, batch);
    made.journal.add_sink({"another", {}, 0, false});  // stores every cursor
    killed.emplace(folder.path());
  }
  Opened again(in(killed->copy.path()));
  append(again.journal, again.source, numbered(next, 100), 1);
  CHECK(drain(again.journal, again.sink, 30) == from_to(0, 200));
}

TEST_CASE("a cursor with all the backlog it can have, put back with live readings in hand, is stored whole") {
  SinkCursor cursor(0);
  std::uint64_t end = 0;
  while (cursor.backlog().size() < SinkCursor::kMaxBacklog) {
    end += 100;
    cursor.skip_to(end);
    cursor.take(10, end += 10);  // live: the pieces do not touch
    cursor.commit();
  }
  const std::uint64_t pending = cursor.pending(end + 50);
  for (int again = 0; again < 3; ++again) {
    cursor.take(20, end + 50);
    cursor.put_back();
  }
  CHECK(cursor.backlog().size() == SinkCursor::kMaxBacklog);
  CHECK(cursor.pending(end + 50) == pending);
  cursor.take(20, end + 50);
  TemporaryFolder folder;
  const auto io = make_posix_file_io();
  CursorFile(*io, folder.path(), "s").write(1, cursor);
  const auto stored = CursorFile::peek(*io, folder.path(), "s");
  REQUIRE(stored);
  CHECK(stored->cursor.pending(end + 50) == pending);
}

TEST_CASE("a copy of a cursor that was cut never counts again") {
  TemporaryFolder folder;
  const auto io = make_posix_file_io();
  for (std::uint64_t done = 1; done <= 6; ++done) CursorFile(*io, folder.path(), "s").write(1, SinkCursor(done));
  fs::resize_file(CursorFile::path_of(folder.path(), "s"), 100);
  CursorFile anew(*io, folder.path(), "s");
  CHECK_FALSE(anew.found());
  anew.write(1, SinkCursor(1000));
  const auto stored = CursorFile::peek(*io, folder.path(), "s");
  REQUIRE(stored);
  CHECK(stored->cursor.live() == 1000);
}

TEST_CASE("newest_first serves what comes next, and what waited behind it, each once") {
  TemporaryFolder folder;
  Opened made(in(folder.path()));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 1000), 1);
  made.journal.newest_first(made.sink);
  append(made.journal, made.source, numbered(next, 10), 2);
  JournalBatch batch;
  made.journal.read(made.sink, 100, batch);
  CHECK(batch.readings.front().time_us == 1000);
  commit(made.journal, made.sink, batch);
  made.journal.read(made.sink, 100, batch);
  CHECK(batch.readings.front().time_us == 0);
  CHECK(made.journal.snapshot().sinks[0].pending == 1000);
  commit(made.journal, made.sink, batch);

  // The end of the process forgets nothing of it.
  const Snapshot killed(folder.path());
  Opened second(in(killed.copy.path()));
  CHECK(second.journal.snapshot().sinks[0].pending == 900);
  append(second.journal, second.source, numbered(next, 1), 1);
  auto rest = drain(second.journal, second.sink);
  CHECK(rest.front() == 1010);
  std::sort(rest.begin(), rest.end());
  auto expected = from_to(100, 1000);
  expected.push_back(1010);
  CHECK(rest == expected);
  CHECK(second.journal.snapshot().sinks[0].balanced());
}

TEST_CASE("sources and sinks on their own threads lose and double nothing on disk") {
  TemporaryFolder folder;
  DiskJournal journal(make_posix_file_io(), in(folder.path(), 2 * kSegment), quiet());
  constexpr std::size_t kEach = 60'000;
  std::vector<std::thread> threads;
  for (std::size_t source = 0; source < 3; ++source) journal.add_source(std::to_string(source));
  for (std::size_t sink = 0; sink < 2; ++sink) journal.add_sink({"sink" + std::to_string(sink), {}, 0, false});
  for (std::size_t source = 0; source < 3; ++source) {
    threads.emplace_back([&, source] {
      std::mt19937 random(static_cast<unsigned>(source));
      std::uint64_t next = 0, token = 0;
      while (next < kEach) {
        const std::size_t count = std::min<std::size_t>(1 + random() % 700, kEach - next);
        append(journal, source, numbered(next, count), ++token);
        if (journal.acked(source) > token) FAIL("acked what was never emitted");
      }
    });
  }
  std::atomic<bool> in_order = true;
  for (std::size_t sink = 0; sink < 2; ++sink) {
    threads.emplace_back([&, sink] {
      std::map<std::string, std::int64_t> expected;
      JournalBatch batch;
      for (std::size_t seen = 0; seen < 3 * kEach;) {
        journal.wait(sink, 1000, Journal::Clock::now() + std::chrono::milliseconds(1));
        journal.read(sink, 5000, batch);
        for (std::size_t i = 0; i < batch.readings.size(); ++i) {
          if (batch.readings[i].time_us != expected[journal.source_name(batch.source_of(i))]++) in_order = false;
        }
        seen += batch.readings.size() + batch.damaged;
        commit(journal, sink, batch);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(in_order);
  const auto view = journal.snapshot();
  for (const auto& sink : view.sinks) CHECK(sink.delivered == 3 * kEach);
  for (const auto& source : view.sources) CHECK(source.balanced());
  CHECK(view.damaged_readings == 0);
}

// ---- damage ------------------------------------------------------------------------------------------------------

TEST_CASE("opening reads no more of a journal of 10 GiB than of a small one") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    auto settings = in(folder.path(), std::uint64_t{20} << 30);
    settings.sync_interval = std::chrono::seconds(10);
    Opened made(settings);
    append(made.journal, made.source, numbered(next, 1000), 1);
  }
  // What 640 segments look like to a start: their names, their sizes, and headers.
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".segment") newest = entry.path();
  }
  const auto header_of = [&](std::uint64_t sequence, std::uint64_t first, std::uint64_t id) {
    return make_segment_header(id, {sequence, first}, 0);
  };
  auto io = make_posix_file_io();
  const std::uint64_t id = read_header(*io, io->open(newest, false).get(), newest)->journal_id;
  std::uint64_t first = 1000;
  for (std::uint64_t sequence = 2; sequence <= 640; ++sequence, first += 200'000) {
    const auto path = folder.path() / file_name({sequence, first});
    const UniqueFd fd = io->open(path, true);
    io->allocate(fd.get(), 16 << 20, path);
    SegmentHeader header = header_of(sequence, first, id);
    const iovec part{&header, sizeof header};
    io->write(fd.get(), {&part, 1}, 0, path);
  }
  auto faults = std::make_shared<FileFaults>();
  Opened made(in(folder.path(), std::uint64_t{20} << 30), faulty_file_io(faults));
  append(made.journal, made.source, numbered(next, 1), 1);
  CHECK(made.journal.snapshot().used_bytes == std::uint64_t{640} * (16 << 20));
  CHECK(faults->read_bytes() < 3 * (16 << 20));  // the newest segment, for its names and its end
}

TEST_CASE("every single-bit flip and every truncation opens, and costs at most the frame that it hits") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  std::string content;
  fs::path segment;
  std::uint64_t used = kHeaderBlock;
  {
    Opened made(in(folder.path(), 2 * kSegment));
    for (std::uint64_t token = 1; token <= 8; ++token) append(made.journal, made.source, numbered(next, 2), token);
    wait_synced(made.journal);
  }
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".segment") segment = entry.path();
  }
  {
    std::ifstream in_file(segment, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in_file), {});
  }
  while (content.substr(used, 40) != std::string(40, '\0')) used += 8;
  const auto read_all = [&](const std::string& bytes) {
    std::ofstream(segment, std::ios::binary | std::ios::trunc) << bytes;
    fs::remove(CursorFile::path_of(folder.path(), "fresh"));
    Opened made(in(folder.path(), 2 * kSegment));
    const std::size_t fresh = made.journal.add_sink({"fresh", {}, 0, false});
    auto got = drain(made.journal, fresh);
    CHECK(made.journal.snapshot().sinks[1].balanced());
    // It goes on: what is appended now is read next.
    std::uint64_t more = 1000;
    append(made.journal, made.source, numbered(more, 1), 1);
    REQUIRE(drain(made.journal, fresh) == std::vector<std::int64_t>{1000});
    return got;
  };
  REQUIRE(read_all(content) == from_to(0, 16));
  const auto lost_one_frame = [](const std::vector<std::int64_t>& got) {
    std::size_t frames_lost = 0;
    for (std::int64_t frame = 0; frame < 8; ++frame) {
      const bool first = std::binary_search(got.begin(), got.end(), 2 * frame);
      const bool second = std::binary_search(got.begin(), got.end(), 2 * frame + 1);
      if (first != second) return false;
      if (!first) ++frames_lost;
    }
    return frames_lost <= 1 && std::is_sorted(got.begin(), got.end());
  };
  for (std::size_t byte = 0; byte < used; ++byte) {
    if (byte >= 64 && byte < kHeaderBlock && byte % 512 != 0) continue;  // the header block's free room
    std::string flipped = content;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << (byte % 8)));
    INFO("byte " << byte);
    REQUIRE(lost_one_frame(read_all(flipped)));
  }
  for (std::size_t size = 0; size < used; size += size < kHeaderBlock ? 509 : 37) {
    INFO("truncated to " << size);
    const auto got = read_all(content.substr(0, size));
    REQUIRE(got == from_to(0, static_cast<std::int64_t>(got.size())));
  }
}

TEST_CASE("a missing segment between others is an error that says what to do") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path()));
    for (std::uint64_t token = 1; token <= 60; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  std::vector<fs::path> segments;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".segment") segments.push_back(entry.path());
  }
  std::sort(segments.begin(), segments.end());
  REQUIRE(segments.size() >= 3);
  fs::remove(segments[1]);
  CHECK_THROWS_WITH(Opened(in(folder.path())),
                    contains_text("lacks segment 2") && contains_text("hbagent journal repair"));
}

TEST_CASE("a copy of a segment under another name is refused, not taken for what came last") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path()));
    for (std::uint64_t token = 1; token <= 40; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  fs::copy(folder.path() / file_name({1, 0}), folder.path() / file_name({99, 0}));
  CHECK_THROWS_WITH(Opened(in(folder.path())), contains_text("copy of segment 1"));
}

TEST_CASE("a sink that is taken out and comes back goes on where it was") {
  TemporaryFolder folder;
  Opened made(in(folder.path()));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 10), 1);
  const std::size_t first = made.journal.add_sink({"other", {}, 0, false});
  CHECK(drain(made.journal, first).size() == 10);
  made.journal.remove_sink(first, true);
  append(made.journal, made.source, numbered(next, 10), 2);
  CHECK(drain(made.journal, made.sink).size() == 20);
  CHECK(drain(made.journal, made.journal.add_sink({"other", {}, 0, false})) == from_to(10, 20));
}

TEST_CASE("a segment or a cursor of another journal is refused by name") {
  TemporaryFolder folder, foreign;
  std::uint64_t next = 0;
  for (const auto& path : {folder.path(), foreign.path()}) {
    Opened made(in(path));
    for (std::uint64_t token = 1; token <= 20; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  SECTION("cursor") {
    fs::copy(foreign.path() / "one.cursor", folder.path() / "one.cursor", fs::copy_options::overwrite_existing);
    CHECK_THROWS_WITH(Opened(in(folder.path())), contains_text("one.cursor") && contains_text("another journal"));
  }
  SECTION("segment") {
    for (const auto& entry : fs::directory_iterator(foreign.path())) {
      if (parse_file_name(entry.path().filename().string()).value_or(SegmentName{}).sequence == 2) {
        fs::copy(entry.path(), folder.path() / entry.path().filename(), fs::copy_options::overwrite_existing);
      }
    }
    CHECK_THROWS_WITH(Opened(in(folder.path())), contains_text("another journal"));
  }
}

// ---- errors of the disk ------------------------------------------------------------------------------------------

TEST_CASE("while the disk is full nothing is accepted, and it goes on by itself when there is room") {
  TemporaryFolder folder;
  auto faults = std::make_shared<FileFaults>();
  Opened made(in(folder.path()), faulty_file_io(faults));
  std::uint64_t next = 0;
  std::uint64_t token = 0;
  faults->fail("allocate", ENOSPC);
  std::thread appender([&] {
    while (token < 40) append(made.journal, made.source, numbered(next, 1000), ++token);
  });
  const auto deadline = Journal::Clock::now() + std::chrono::seconds(30);
  while (made.journal.snapshot().failure.empty() && Journal::Clock::now() < deadline) std::this_thread::yield();
  CHECK_THAT(made.journal.snapshot().failure, contains_text("No space left"));
  faults->clear();
  appender.join();
  CHECK(made.journal.snapshot().failure.empty());
  CHECK(drain(made.journal, made.sink) == from_to(0, 40'000));
}

TEST_CASE("a journal that a start finds full, and everybody done with, has room") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    // Ends before it has let go of what the sink is done with.
    auto faults = std::make_shared<FileFaults>();
    faults->fail("rename", EIO);
    Opened first(in(folder.path(), 2 * kSegment), faulty_file_io(faults));
    while (first.journal.snapshot().used_bytes < 2 * kSegment)
      append(first.journal, first.source, numbered(next, 1000), 1);
    CHECK(drain(first.journal, first.sink).size() == next);
  }
  Opened second(in(folder.path(), 2 * kSegment));
  REQUIRE(second.journal.snapshot().used_bytes == 2 * kSegment);
  std::atomic<AppendResult> result{AppendResult::stopped};
  std::thread appender([&] { result = append(second.journal, second.source, numbered(next, 16'000), 1); });
  const auto deadline = Journal::Clock::now() + std::chrono::seconds(10);
  while (second.journal.snapshot().sources[0].journaled == 0 && Journal::Clock::now() < deadline)
    std::this_thread::yield();
  second.journal.stop_source(second.source);
  appender.join();
  CHECK(result == AppendResult::appended);
}

TEST_CASE("a failed sync is never retried as if the data were safe: it is written again elsewhere") {
  TemporaryFolder folder;
  auto faults = std::make_shared<FileFaults>();
  Opened made(in(folder.path()), faulty_file_io(faults));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 100), 1);
  made.journal.wait_acked(made.source, 1, Journal::Clock::now() + std::chrono::seconds(30));
  REQUIRE(made.journal.acked(made.source) == 1);

  faults->fail("sync", EIO, ".segment");
  append(made.journal, made.source, numbered(next, 100), 2);
  const auto deadline = Journal::Clock::now() + std::chrono::seconds(30);
  while (made.journal.snapshot().failure.empty() && Journal::Clock::now() < deadline) std::this_thread::yield();
  CHECK_THAT(made.journal.snapshot().failure, contains_text("cannot sync"));
  CHECK(made.journal.acked(made.source) == 1);
  const auto untrusted = faults->last_failed();
  faults->clear();
  made.journal.wait_acked(made.source, 2, Journal::Clock::now() + std::chrono::seconds(30));
  CHECK(made.journal.acked(made.source) == 2);
  CHECK(faults->synced_after_failure(untrusted) == 0);

  append(made.journal, made.source, numbered(next, 100), 3);
  wait_synced(made.journal);
  const Snapshot killed(folder.path());
  Opened second(in(killed.copy.path()));
  CHECK(drain(second.journal, second.sink) == from_to(0, 300));
  CHECK(drain(made.journal, made.sink) == from_to(0, 300));
}

TEST_CASE("a rewriting that was killed between two renames counts, and one that was killed before does not") {
  TemporaryFolder folder;
  auto faults = std::make_shared<FileFaults>();
  auto settings = in(folder.path());
  settings.sync_interval = std::chrono::milliseconds(200);
  Opened made(settings, faulty_file_io(faults));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 1), 1);
  wait_synced(made.journal);
  faults->fail("sync", EIO, ".segment");
  append(made.journal, made.source, numbered(next, 40'000), 2);  // three segments that wait for their sync
  const auto deadline = Journal::Clock::now() + std::chrono::seconds(30);
  while (made.journal.snapshot().failure.empty() && Journal::Clock::now() < deadline) std::this_thread::yield();
  const std::size_t before = list_segments(folder.path()).segments.size();
  faults->clear();
  wait_synced(made.journal);

  const auto segments = list_segments(folder.path()).segments;
  REQUIRE(segments.size() >= before + 3);
  const auto unnamed = [&](const Snapshot& killed, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const auto name = file_name(segments[i].name);
      fs::rename(killed.copy.path() / name, killed.copy.path() / (kRewriteFile + name));
    }
  };
  for (std::size_t from = before; from < segments.size() - 1; ++from) {
    const Snapshot killed(folder.path());
    unnamed(killed, from, segments.size() - 1);
    Opened second(in(killed.copy.path()));
    CHECK(list_segments(killed.copy.path()).segments.back().path.filename() == file_name(segments.back().name));
    CHECK(drain(second.journal, second.sink) == from_to(0, 40'001));
  }
  const Snapshot killed(folder.path());
  unnamed(killed, before, segments.size());
  fs::resize_file(killed.copy.path() / (kRewriteFile + file_name(segments.back().name)), 0);
  Opened third(in(killed.copy.path()));
  CHECK(list_segments(killed.copy.path()).leftovers.empty());
  CHECK(drain(third.journal, third.sink) == from_to(0, 40'001));
}

TEST_CASE("a cursor that cannot be written holds back nothing but the space behind it") {
  TemporaryFolder folder;
  auto faults = std::make_shared<FileFaults>();
  Opened made(in(folder.path(), 4 * kSegment), faulty_file_io(faults));
  std::uint64_t next = 0;
  faults->fail("write", EROFS, ".cursor");
  append(made.journal, made.source, numbered(next, 20'000), 1);
  CHECK(drain(made.journal, made.sink) == from_to(0, 20'000));
  CHECK_THAT(made.journal.snapshot().failure, contains_text("one.cursor"));
  const Snapshot killed(folder.path());
  Opened second(in(killed.copy.path(), 4 * kSegment));
  CHECK(second.journal.snapshot().sinks[0].pending == 20'000);  // again, not lost
  faults->clear();
  append(made.journal, made.source, numbered(next, 1), 2);
  drain(made.journal, made.sink);
  CHECK(made.journal.snapshot().failure.empty());
}
