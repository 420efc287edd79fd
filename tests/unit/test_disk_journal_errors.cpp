// The journal on disk: a full disk, failed writes and syncs.
#include <thread>

#include "disk_journal_support.hpp"
#include "fault_file_io.hpp"
#include "journal/segment_folder.hpp"

using namespace hbagent;                     // NOLINT(google-build-using-namespace): the subject of every line here
using namespace hbagent::disk_journal_test;  // NOLINT(google-build-using-namespace)

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
