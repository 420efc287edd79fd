// The journal on disk: what each sink gets, and its place through restarts.
#include <optional>
#include <random>
#include <thread>

#include "disk_journal_support.hpp"
#include "journal/cursor_file.hpp"

using namespace hbagent;                     // NOLINT(google-build-using-namespace): the subject of every line here
using namespace hbagent::disk_journal_test;  // NOLINT(google-build-using-namespace)

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
