// The journal on disk: what append promises, and what becomes of a full one.
#include <atomic>
#include <thread>

#include "disk_journal_support.hpp"
#include "fault_file_io.hpp"
#include "journal/segment_folder.hpp"
#include "stderr_of.hpp"

using namespace hbagent;                     // NOLINT(google-build-using-namespace): the subject of every line here
using namespace hbagent::disk_journal_test;  // NOLINT(google-build-using-namespace)

namespace {

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
