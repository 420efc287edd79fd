// Power loss, at every point and in every mixture: what was acked is there afterwards.
//
// Every operation on a file is logged. What power loss at some point leaves behind is then built from the log: all that
// was synced, and of the rest, in no particular order, whatever the disk happens to have written: whole sectors of
// writes, names that were made, renamed or removed.
#include <hbagent/testing.hpp>

#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "fault_file_io.hpp"
#include "journal/disk_journal.hpp"
#include "quiet_log.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

namespace fs = std::filesystem;

// One operation. Files are known by a number that stays the same when they are renamed, as an inode does.
struct Operation {
  enum class Kind { create, allocate, write, sync, rename, remove, sync_folder } kind;
  int file = -1;
  std::string name, to;  // of create, rename and remove, without the folder
  std::uint64_t offset = 0, size = 0;
  std::string bytes;
};

// Thread-safe.
class OperationLog {
 public:
  void add(Operation operation) {
    const std::lock_guard lock(mutex_);
    operations_.push_back(std::move(operation));
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return operations_.size();
  }
  std::vector<Operation> all() const {
    const std::lock_guard lock(mutex_);
    return operations_;
  }
  // The number of the file that has this name now.
  int file(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return names_.at(name);
  }
  int make(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return names_[name] = next_++;
  }
  bool known(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return names_.contains(name);
  }
  void renamed(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex_);
    names_[to] = names_.at(from);
    names_.erase(from);
  }
  void removed(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_.erase(name);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Operation> operations_;
  std::map<std::string, int> names_;
  int next_ = 0;
};

// Logs an operation when it is done, a sync when it has returned: what came before the log's entry is covered by it.
class LoggingFileIo final : public FileIo {
 public:
  explicit LoggingFileIo(std::shared_ptr<OperationLog> log) : log_(std::move(log)) {}

  UniqueFd open(const fs::path& file, bool create) override {
    const std::string name = file.filename();
    UniqueFd fd = real_->open(file, create);
    if (!log_->known(name)) {
      log_->add({Operation::Kind::create, log_->make(name), name, {}, 0, 0, {}});
    }
    const std::lock_guard lock(mutex_);
    numbers_[fd.get()] = log_->file(name);
    return fd;
  }
  void allocate(int fd, std::uint64_t size, const fs::path& file) override {
    real_->allocate(fd, size, file);
    log_->add({Operation::Kind::allocate, number(fd), {}, {}, 0, size, {}});
  }
  void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const fs::path& file) override {
    std::string bytes;
    for (const iovec& part : parts) bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
    // The log first: a sync that returns before it would not cover it.
    log_->add({Operation::Kind::write, number(fd), {}, {}, offset, 0, bytes});
    real_->write(fd, parts, offset, file);
  }
  std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset, const fs::path& file) override {
    return real_->read(fd, to, size, offset, file);
  }
  void sync(int fd, const fs::path& file) override {
    // Covers what was written before it was called.
    const std::size_t covered = log_->size();
    const int which = number(fd);
    real_->sync(fd, file);
    log_->add({Operation::Kind::sync, which, {}, {}, covered, 0, {}});
  }
  void rename(const fs::path& from, const fs::path& to) override {
    real_->rename(from, to);
    log_->add({Operation::Kind::rename, log_->file(from.filename()), from.filename(), to.filename(), 0, 0, {}});
    log_->renamed(from.filename(), to.filename());
  }
  void remove(const fs::path& file) override {
    real_->remove(file);
    log_->add({Operation::Kind::remove, log_->file(file.filename()), file.filename(), {}, 0, 0, {}});
    log_->removed(file.filename());
  }
  void sync_folder(const fs::path& folder) override {
    const std::size_t covered = log_->size();
    real_->sync_folder(folder);
    log_->add({Operation::Kind::sync_folder, -1, {}, {}, covered, 0, {}});
  }

 private:
  // A file is written under the name that it is about to get: the descriptor says which it is.
  int number(int fd) {
    const std::lock_guard lock(mutex_);
    return numbers_.at(fd);
  }

  std::mutex mutex_;
  std::map<int, int> numbers_;

  std::shared_ptr<OperationLog> log_;
  std::unique_ptr<FileIo> real_ = make_posix_file_io();
};

// What a disk may hold after power loss behind the first `count` operations.
class Survivor {
 public:
  Survivor(const std::vector<Operation>& log, std::size_t count, std::mt19937& random) : random_(random) {
    // Which operations a later sync has made durable.
    std::vector<bool> durable(count, false);
    for (std::size_t at = 0; at < count; ++at) {
      const Operation& sync = log[at];
      const bool folder = sync.kind == Operation::Kind::sync_folder;
      if (!folder && sync.kind != Operation::Kind::sync) continue;
      for (std::size_t before = 0; before < sync.offset; ++before) {
        const Operation& covered = log[before];
        const bool of_name = covered.kind == Operation::Kind::create || covered.kind == Operation::Kind::rename ||
                             covered.kind == Operation::Kind::remove;
        if (folder ? of_name : (!of_name && covered.file == sync.file)) durable[before] = true;
      }
    }
    // Names change in order: a file system's journal has a beginning, and how far it got is chance.
    bool names_reached = true;
    for (std::size_t at = 0; at < count; ++at) {
      if (!durable[at] && names_reached && chance(8)) names_reached = false;
      apply(log[at], durable[at], names_reached || durable[at]);
    }
  }

  void write_to(const fs::path& folder) const {
    for (const auto& [name, file] : names_) {
      std::ofstream(folder / name, std::ios::binary) << files_.at(file);
    }
  }

 private:
  static constexpr std::size_t kSector = 512;

  bool chance(unsigned one_in) { return random_() % one_in == 0; }

  void apply(const Operation& operation, bool durable, bool name_reached) {
    std::string& content = files_[operation.file];
    switch (operation.kind) {
      case Operation::Kind::create:
        if (name_reached) names_[operation.name] = operation.file;
        break;
      case Operation::Kind::rename:
        if (name_reached && names_.erase(operation.name) > 0) names_[operation.to] = operation.file;
        break;
      case Operation::Kind::remove:
        if (name_reached) names_.erase(operation.name);
        break;
      case Operation::Kind::allocate:
        if (content.size() < operation.size) content.resize(operation.size, '\0');
        break;
      case Operation::Kind::write:
        for (std::size_t done = 0; done < operation.bytes.size();) {
          const std::uint64_t at = operation.offset + done;
          const std::size_t part = std::min<std::size_t>(kSector - at % kSector, operation.bytes.size() - done);
          if (durable || chance(2)) {
            if (content.size() < at + part) content.resize(at + part, '\0');
            std::memcpy(content.data() + at, operation.bytes.data() + done, part);
          }
          done += part;
        }
        break;
      default:
        break;
    }
  }

  std::mt19937& random_;
  std::map<std::string, int> names_;
  std::map<int, std::string> files_;
};

// A sink's view of a run: what was acked, or delivered, when the log had how many operations.
struct Event {
  std::size_t operations;
  std::int64_t upto;  // readings [0, upto)
};

}  // namespace

TEST_CASE("after power loss at any point everything that was acked is there, once, and the sinks go on") {
  TemporaryFolder folder;
  auto log = std::make_shared<OperationLog>();
  std::vector<Event> acked;
  std::map<std::string, std::vector<Event>> committed;
  std::mt19937 random(7);
  constexpr std::int64_t kReadings = 60'000;  // four segments
  {
    DiskJournal journal(std::make_unique<LoggingFileIo>(log),
                        {folder.path(), 3 << 20, false, std::chrono::milliseconds(1)}, quiet());
    const std::size_t source = journal.add_source("s");
    const std::size_t fast = journal.add_sink({"fast", {}, 0, false});
    const std::size_t slow = journal.add_sink({"slow", {}, 0, false});
    std::int64_t next = 0;
    JournalBatch batch;
    const auto take = [&](const char* name, std::size_t sink, std::size_t limit) {
      if (journal.wait(sink, 1, Journal::Clock::now()) == 0) return;
      journal.read(sink, limit, batch);
      SinkTerms terms;
      terms.delivered = batch.readings.size();
      committed[name].push_back({log->size(), batch.readings.back().time_us + 1});
      journal.commit(sink, terms);
    };
    while (next < kReadings) {
      std::vector<hb_reading> readings;
      for (std::size_t count = 1 + random() % 1500; count > 0 && next < kReadings; --count) {
        readings.push_back(hb::testing::make_reading("c", next++, 60));
      }
      journal.append(source, readings, static_cast<std::uint64_t>(next), {});
      if (random() % 2 == 0) {
        // The token is the count of readings that it covers. The log is at least this long when it was acked.
        journal.wait_acked(source, static_cast<std::uint64_t>(next), Journal::Clock::now() + std::chrono::seconds(30));
      }
      const auto token = static_cast<std::int64_t>(journal.acked(source));
      acked.push_back({log->size(), token});
      take("fast", fast, 3000);
      if (next > 8000) take("slow", slow, 1500);
    }
  }
  const std::vector<Operation> operations = log->all();
  REQUIRE(operations.size() > 100);
  std::set<std::size_t> points;
  while (points.size() < 150) points.insert(random() % (operations.size() + 1));
  for (const std::size_t point : points) {
    std::int64_t safe = 0;
    for (const Event& event : acked) {
      if (event.operations <= point) safe = std::max(safe, event.upto);
    }
    TemporaryFolder after;
    Survivor(operations, point, random).write_to(after.path());
    INFO("power lost behind operation " << point << " of " << operations.size() << "; acked: " << safe);
    DiskJournal journal(make_posix_file_io(), {after.path(), 3 << 20, false, std::chrono::milliseconds(1)}, quiet());
    const std::size_t source = journal.add_source("s");
    for (const char* name : {"fast", "slow"}) {
      const std::size_t sink = journal.add_sink({name, {}, 0, false});
      std::vector<std::int64_t> got;
      JournalBatch batch;
      while (journal.wait(sink, 1, Journal::Clock::now()) > 0) {
        journal.read(sink, 5000, batch);
        for (const hb_reading& reading : batch.readings) got.push_back(reading.time_us);
        SinkTerms terms;
        terms.delivered = batch.readings.size();
        terms.dropped = batch.damaged;
        journal.commit(sink, terms);
      }
      // In order and each once; what is acked and not delivered before lies there without a gap, up to `safe` at least.
      const auto turn = std::adjacent_find(got.begin(), got.end(), std::greater_equal<>());
      if (turn != got.end()) FAIL(name << " gets " << turn[1] << " behind " << turn[0] << " of " << got.size());
      // Nothing acked is passed over that the sink had not at least begun to commit.
      std::int64_t done = 0;
      for (const Event& event : committed[name]) {
        if (event.operations <= point) done = event.upto;
      }
      const std::int64_t first = got.empty() ? safe : got.front();
      REQUIRE(std::min(first, safe) <= done);
      const auto covered = std::count_if(got.begin(), got.end(), [&](std::int64_t each) { return each < safe; });
      REQUIRE(covered == std::max<std::int64_t>(0, safe - first));
      REQUIRE(journal.snapshot().sinks[sink].balanced());
    }
    // It takes readings, and gives them to both.
    std::vector<hb_reading> more = {hb::testing::make_reading("c", 1'000'000, 60)};
    REQUIRE(journal.append(source, more, 1, {}) == AppendResult::appended);
    for (std::size_t sink = 0; sink < 2; ++sink) {
      JournalBatch batch;
      journal.read(sink, 10, batch);
      REQUIRE(batch.readings.size() == 1);
      REQUIRE(batch.readings[0].time_us == 1'000'000);
      journal.commit(sink, {});
    }
  }
}
