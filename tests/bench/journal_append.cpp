// What the journal on disk can take: readings in batches, as a source's thread would hand them over, until the last one
// is durable.
//
//   bench_journal_append FOLDER READINGS BATCH
//
// The folder is new. The clock runs from the first append to the acknowledgement of the last, so it includes making and
// preallocating the segments; the readings lie ready in memory. Prints one line of JSON: `bytes` is what was written.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "journal/disk_journal.hpp"

namespace {

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

std::vector<hb_reading> make_batch(std::size_t size) {
  std::vector<hb_reading> batch(size);
  for (std::size_t i = 0; i < size; ++i) {
    batch[i].time_us = 1'767'225'600'000'000 + static_cast<std::int64_t>(i) * 1000;
    batch[i].received_us = batch[i].time_us;
    batch[i].heart_rate = static_cast<std::int32_t>(40 + i % 151);
    std::snprintf(batch[i].customer_id, sizeof batch[i].customer_id, "C%05zu", i % 10'000);
  }
  return batch;
}

void measure(const std::filesystem::path& folder, std::uint64_t count, std::size_t batch_size) {
  Logger logger(LogFormat::text, LogLevel::warning);
  const std::uint64_t frames =
      count / batch_size * ((batch_size + kFrameReadings - 1) / kFrameReadings) + batch_size / kFrameReadings + 1;
  const std::uint64_t bytes = count * sizeof(hb_reading) + frames * sizeof(FrameHeader);
  DiskJournal journal(make_posix_file_io(), {folder, 2 * bytes + (64 << 20), false}, logger);
  const std::size_t source = journal.add_source("bench");
  journal.add_sink({"later", {}, 0, false});  // reads nothing: all of it stays
  const auto batch = make_batch(batch_size);

  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t token = 0;
  for (std::uint64_t done = 0; done < count;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(batch_size, count - done));
    SourceTerms terms;
    terms.received = size;
    if (journal.append(source, {batch.data(), size}, ++token, std::move(terms)) != AppendResult::appended) std::abort();
    done += size;
  }
  journal.wait_acked(source, token, Journal::Clock::time_point::max());
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  if (journal.snapshot().unsynced != 0 || !journal.snapshot().failure.empty()) {
    throw std::runtime_error("not durable: " + journal.snapshot().failure);
  }
  const double used = cpu_seconds() - cpu;
  std::printf("{\"readings\": %llu, \"bytes\": %llu, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(bytes), wall.count(), used);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_journal_append FOLDER READINGS BATCH\n");
    return 2;
  }
  try {
    measure(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
