// An append that may not wait for long: what it did not take is nobody's, and what it took is accounted for.
#include <hbagent/testing.hpp>

#include <cerrno>
#include <chrono>
#include <future>
#include <thread>

#include "fault_file_io.hpp"
#include "journal/disk_journal.hpp"
#include "journal/memory_journal.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

using Clock = Journal::Clock;
using namespace std::chrono_literals;

AppendResult append(Journal& journal, std::size_t source, std::size_t count, std::uint64_t token,
                    Clock::time_point deadline) {
  const std::vector<hb_reading> readings(count, hb::testing::make_reading("c", 1, 60));
  SourceTerms terms;
  terms.received = count;
  return journal.append(source, readings, token, terms, deadline);
}

std::size_t drain(Journal& journal, std::size_t sink) {
  std::size_t all = 0;
  JournalBatch batch;
  while (journal.wait(sink, 1, Clock::now()) > 0) {
    journal.read(sink, 5000, batch);
    SinkTerms terms;
    terms.delivered = batch.readings.size();
    journal.commit(sink, terms);
    all += batch.readings.size();
  }
  return all;
}

std::unique_ptr<Journal> make_journal(bool on_disk, const TemporaryFolder& folder, Logger& logger,
                                      const std::shared_ptr<FileFaults>& faults) {
  if (!on_disk) return std::make_unique<MemoryJournal>(MemoryJournal::Settings{1 << 20, false}, logger);
  return std::make_unique<DiskJournal>(faulty_file_io(faults),
                                       DiskJournal::Settings{folder.path(), 2 << 20, false, 1ms}, logger);
}

struct Made {
  explicit Made(bool on_disk) : journal(make_journal(on_disk, folder, logger, faults)) {
    source = journal->add_source("s");
    sink = journal->add_sink({"k", {}, 0, false});
  }
  TemporaryFolder folder;
  Logger logger{LogFormat::text, LogLevel::error};
  std::shared_ptr<FileFaults> faults = std::make_shared<FileFaults>();
  std::unique_ptr<Journal> journal;
  std::size_t source = 0, sink = 0;
};

}  // namespace

TEST_CASE("an append into a full journal is late at its deadline, and taken when there is room") {
  const Made made(GENERATE(false, true));
  Journal& journal = *made.journal;
  std::uint64_t token = 0;
  std::size_t taken = 0;
  while (append(journal, made.source, 1000, token + 1, Clock::now() + 20ms) == AppendResult::appended) {
    taken += 1000;
    ++token;
  }
  REQUIRE(taken > 0);
  // Of the last one the journal in memory may have taken a part.
  const std::uint64_t received = journal.snapshot().sources[made.source].received;
  CHECK(received >= taken);
  CHECK(received < taken + 1000);
  CHECK(journal.snapshot().sources[made.source].journaled == received);
  CHECK(drain(journal, made.sink) == received);
  CHECK(append(journal, made.source, 1000, ++token, Clock::now() + 10s) == AppendResult::appended);
  CHECK(drain(journal, made.sink) == 1000);
}

TEST_CASE("an append that waits behind another source's is late at its deadline") {
  const Made made(GENERATE(false, true));
  Journal& journal = *made.journal;
  const std::size_t other = journal.add_source("other");
  std::thread blocked([&] {
    std::uint64_t token = 0;
    while (append(journal, other, 1000, ++token, Clock::time_point::max()) == AppendResult::appended) continue;
  });
  while (append(journal, made.source, 1000, 1, Clock::now() + 20ms) == AppendResult::appended) continue;
  // Once the other one's turn has come, it keeps it.
  const auto end = Clock::now() + 10s;
  AppendResult last = AppendResult::appended;
  while (last == AppendResult::appended && Clock::now() < end) last = append(journal, made.source, 0, 1, Clock::now());
  CHECK(last == AppendResult::late);
  journal.stop_source(other);
  blocked.join();
}

TEST_CASE("while a disk cannot be written an append is late, there is no room, and nothing comes twice") {
  const Made made(true);
  Journal& journal = *made.journal;
  made.faults->fail("allocate", ENOSPC);
  std::uint64_t token = 0;
  std::size_t taken = 0;
  while (append(journal, made.source, 1000, token + 1, Clock::now() + 20ms) == AppendResult::appended) {
    taken += 1000;
    ++token;
  }
  CHECK_THAT(journal.snapshot().failure, contains_text("No space left"));
  CHECK_FALSE(journal.wait_room(made.source, Clock::now()));
  made.faults->clear();
  CHECK(append(journal, made.source, 1000, ++token, Clock::now() + 10s) == AppendResult::appended);
  CHECK(journal.wait_room(made.source, Clock::now() + 10s));
  CHECK(drain(journal, made.sink) == taken + 1000);
}

TEST_CASE("an append that must be durable says so when the disk does not sync, and is taken all the same") {
  TemporaryFolder folder;
  Logger logger{LogFormat::text, LogLevel::error};
  auto faults = std::make_shared<FileFaults>();
  DiskJournal journal(faulty_file_io(faults), DiskJournal::Settings{folder.path(), 4 << 20, false, 0ms}, logger);
  const std::size_t source = journal.add_source("s");
  faults->fail("sync", EIO, ".segment");
  CHECK(append(journal, source, 10, 1, Clock::now() + 50ms) == AppendResult::unsynced);
  CHECK(journal.acked(source) == 0);
  faults->clear();
  journal.wait_acked(source, 1, Clock::now() + 10s);
  CHECK(journal.acked(source) == 1);
}
