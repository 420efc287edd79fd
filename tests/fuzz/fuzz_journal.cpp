// A libFuzzer entry over what a start of the disk journal may find: files damaged in every way. Whatever they hold, the
// journal opens or says in a JournalError what to do; what it reads is true and in order, and nothing is missing that
// the damage was not in; what it takes afterwards is read as it was given, also after the next start.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>

#include "fuzz_file_io.hpp"
#include "journal/disk_journal.hpp"
#include "journal/journal_folder.hpp"
#include "journal_damage.hpp"
#include "quiet_log.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

namespace fs = std::filesystem;
using Kind = DamagedJournal::Kind;

constexpr const char* kFreshSink = "fresh";
constexpr const char* kLateSink = "late";  // reads nothing before the second start: so all is kept until then
constexpr std::uint64_t kMaxBytes = 16 << 20;
// A forged position may stand for more readings than anyone can wait for.
constexpr std::uint64_t kMostReadings = 1'000'000;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the journal broke its promise: %s\n", what);
  std::abort();
}

bool same(const hb_reading& a, const hb_reading& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

struct Read {
  std::vector<hb_reading> readings;
  std::vector<std::uint32_t> sources;
};

class Opened {
 public:
  explicit Opened(const fs::path& folder)
      : journal_(std::make_unique<FuzzFileIo>(), {folder, kMaxBytes, false, std::chrono::microseconds(0)}, quiet()),
        source_(journal_.add_source("late")),
        old_(journal_.add_sink({kOldSink, {}, 0, false})) {}

  std::size_t add_sink(const std::string& name) { return journal_.add_sink({name, {}, 0, false}); }
  std::size_t old() const { return old_; }

  std::uint64_t pending(std::size_t sink) const { return journal_.snapshot().sinks[sink].pending; }

  // All that waits for the sink, committed.
  Read drain(std::size_t sink) {
    Read all;
    JournalBatch batch;
    while (journal_.wait(sink, 1, Journal::Clock::now()) > 0) {
      journal_.read(sink, 50, batch);
      std::size_t count = 0;
      for (const JournalBatch::Run& run : batch.runs) count += run.count;
      require(count == batch.readings.size(), "runs that count what was read");
      require(count + batch.damaged <= 50, "no more than was asked for");
      require(count + batch.damaged > 0, "what is announced is read or lost");
      for (std::size_t i = 0; i < count; ++i) all.sources.push_back(batch.source_of(i));
      all.readings.insert(all.readings.end(), batch.readings.begin(), batch.readings.end());
      SinkTerms terms;
      terms.delivered = count;
      terms.dropped = batch.damaged;
      journal_.commit(sink, terms);
    }
    const auto view = journal_.snapshot();
    require(view.sinks[sink].balanced(), "balanced accounts");
    require(view.failure.empty(), "no failure where the files can be written");
    return all;
  }

  void append(const hb_reading& reading) {
    SourceTerms terms;
    terms.received = 1;
    const auto result = journal_.append(source_, {&reading, 1}, ++token_, terms);
    require(result == AppendResult::appended, "it takes readings again");
    require(journal_.acked(source_) == token_, "what was taken is acknowledged");
  }

 private:
  DiskJournal journal_;
  std::size_t source_, old_;
  std::uint64_t token_ = 0;
};

// True, and each at most once. A file that waited to be used again still has frames from its life before: under its
// name of that time they count again.
void check_true(const BaseJournal& base, Kind kind, const Read& read) {
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < read.readings.size(); ++i) {
    const hb_reading& reading = read.readings[i];
    const auto position = static_cast<std::uint64_t>(reading.time_us);
    require(seen.insert(reading.time_us).second, "each reading once");
    if (kind == Kind::pieces && position < base.first) {
      require(same(reading, reading_at(position)), "each reading as it was written");
      continue;
    }
    const std::uint64_t index = position - base.first;
    require(index < base.readings.size() && same(reading, base.readings[index]), "each reading as it was written");
    require(read.sources[i] == base.sources[index], "the source that it came from");
  }
}

void check_order(const Read& read) {
  for (std::size_t i = 1; i < read.readings.size(); ++i) {
    require(read.readings[i - 1].time_us < read.readings[i].time_us, "readings in order");
  }
}

void check_nothing_missing(const DamagedJournal& made, const Read& read) {
  std::set<std::int64_t> seen;
  for (const hb_reading& reading : read.readings) seen.insert(reading.time_us);
  for (const BaseJournal::Frame& frame : made.base->frames) {
    if (!made.intact(frame)) continue;
    for (std::uint64_t n = 0; n < frame.header.count; ++n) {
      require(seen.contains(static_cast<std::int64_t>(frame.header.position + n)), "every frame that was not damaged");
    }
  }
}

void write(const Files& files, const fs::path& folder) {
  for (const auto& [name, content] : files) {
    std::ofstream file(folder / name, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    require(file.good(), "a folder with room for the test");
  }
}

// What "hbagent journal verify" does.
void verify(const fs::path& folder) {
  FuzzFileIo io;
  JournalFolder files(io, folder);
  (void)files.verify();
  for (const std::string& sink : CursorFile::sinks_in(folder)) (void)CursorFile::peek(io, folder, sink);
}

void check_second_start(const fs::path& folder, const Read& before, const hb_reading& taken, Kind kind) {
  std::optional<Opened> again;
  try {
    again.emplace(folder);
  } catch (const JournalError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    require(kind == Kind::forged, "a journal that has opened opens again");
    return;
  }
  const std::size_t late = again->add_sink(kLateSink);
  if (again->pending(late) > kMostReadings) return;
  const Read now = again->drain(late);
  if (kind == Kind::forged) return;
  require(again->pending(again->old()) == 0, "what was committed is not delivered again");
  require(now.readings.size() == before.readings.size() + 1, "as much as before is read after the next start");
  for (std::size_t i = 0; i < before.readings.size(); ++i) {
    require(same(before.readings[i], now.readings[i]), "the same as before is read after the next start");
  }
  require(same(now.readings.back(), taken), "what was taken is read after the next start");
}

// No crash leaves two files of one sequence number, only a person does: which of them counts is not promised.
bool sequences_differ(const Files& files) {
  std::set<std::uint64_t> seen;
  for (const auto& [name, content] : files) {
    const std::size_t prefix = name.starts_with(kRewriteFile) ? std::strlen(kRewriteFile) : 0;
    const auto parsed = parse_file_name(name.substr(prefix));
    if (parsed && !seen.insert(parsed->sequence).second) return false;
  }
  return true;
}

void check(const DamagedJournal& made, const fs::path& folder) {
  verify(folder);
  std::optional<Opened> first;
  try {
    first.emplace(folder);
  } catch (const JournalError& error) {
    require(std::strlen(error.what()) > 0, "an error with a text");
    if (made.kind == Kind::bytes) std::fprintf(stderr, "%s\n", error.what());
    require(made.kind != Kind::bytes, "damaged bytes keep no journal from opening");
    return;
  }
  const std::size_t fresh = first->add_sink(kFreshSink);
  first->add_sink(kLateSink);
  if (first->pending(fresh) > kMostReadings || first->pending(first->old()) > kMostReadings) {
    require(made.kind == Kind::forged, "no more readings than there can be");
    return;
  }
  const Read all = first->drain(fresh);
  const Read rest = first->drain(first->old());
  if (made.kind != Kind::forged) {
    check_true(*made.base, made.kind, all);
    check_true(*made.base, made.kind, rest);
    check_order(all);
  }
  if (made.kind == Kind::bytes) check_nothing_missing(made, all);

  const hb_reading taken = reading_at(1'000'000);
  first->append(taken);
  for (const std::size_t sink : {fresh, first->old()}) {
    const Read last = first->drain(sink);
    require(last.readings.size() == 1 && same(last.readings[0], taken), "what was taken is read as it was given");
  }
  first.reset();
  verify(folder);
  check_second_start(folder, all, taken, sequences_differ(made.files) ? made.kind : Kind::forged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const DamagedJournal made = make_damaged({data, size});
  const TemporaryFolder folder;
  write(made.files, folder.path());
  check(made, folder.path());
  return 0;
}
