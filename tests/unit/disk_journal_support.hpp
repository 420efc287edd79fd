// What the tests of the journal on disk share: journals, readings that have a number, folders as a kill leaves them.
#pragma once

#include <hbagent/testing.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "journal/disk_journal.hpp"
#include "quiet_log.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

namespace hbagent::disk_journal_test {

namespace fs = std::filesystem;

inline constexpr std::uint64_t kSegment = 1 << 20;  // of a journal of up to 16 MiB

inline DiskJournal::Settings in(const fs::path& folder, std::uint64_t max_bytes = 16 << 20) {
  return {folder, max_bytes, false, std::chrono::milliseconds(1)};
}

// Readings whose time is their serial number.
inline std::vector<hb_reading> numbered(std::uint64_t& next, std::size_t count, std::uint16_t flags = 0) {
  std::vector<hb_reading> readings;
  for (std::size_t i = 0; i < count; ++i) {
    readings.push_back(
        hb::testing::make_reading("c" + std::to_string(next % 7), static_cast<std::int64_t>(next), 60, flags));
    ++next;
  }
  return readings;
}

inline AppendResult append(Journal& journal, std::size_t source, const std::vector<hb_reading>& readings,
                           std::uint64_t token) {
  SourceTerms terms;
  terms.received = readings.size();
  return journal.append(source, readings, token, terms);
}

inline void commit(Journal& journal, std::size_t sink, const JournalBatch& batch) {
  SinkTerms terms;
  terms.delivered = batch.readings.size();
  terms.filtered = batch.filtered;
  terms.dropped = batch.damaged;
  journal.commit(sink, terms);
}

// Everything that waits for the sink, as serial numbers; committed unless asked not to.
inline std::vector<std::int64_t> drain(Journal& journal, std::size_t sink, std::size_t limit = 3000) {
  std::vector<std::int64_t> all;
  JournalBatch batch;
  while (journal.wait(sink, 1, Journal::Clock::now()) > 0) {
    journal.read(sink, limit, batch);
    for (const hb_reading& reading : batch.readings) all.push_back(reading.time_us);
    commit(journal, sink, batch);
  }
  return all;
}

inline std::vector<std::int64_t> from_to(std::int64_t from, std::int64_t to) {
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

inline void wait_synced(const Journal& journal) {
  const auto deadline = Journal::Clock::now() + std::chrono::seconds(30);
  while (journal.snapshot().unsynced > 0) {
    if (Journal::Clock::now() > deadline) FAIL("not synced within 30 s");
    std::this_thread::yield();
  }
}

}  // namespace hbagent::disk_journal_test
