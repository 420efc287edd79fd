// What a run leaves behind of itself.
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fault_file_io.hpp"
#include "last_run.hpp"
#include "quiet_log.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here
using namespace std::chrono_literals;

namespace {

// A run whose accounts are `received`, and whose memory is never the same.
struct Run {
  std::string status() {
    ++asked;
    return nlohmann::json{
        {"agent", "a"},
        {"resident_bytes", asked.load()},
        {"sources", {{{"name", "s"}, {"received", received.load()}, {"gauges", {{"g", asked.load()}}}}}}}
        .dump();
  }
  LastRun::Status said() {
    return [this] { return status(); };
  }
  nlohmann::json kept() const {
    const auto text = read_last_run(folder.path());
    return text ? nlohmann::json::parse(*text) : nlohmann::json();
  }
  std::uint64_t kept_received() const {
    const auto json = kept();
    return json.is_null() ? 0 : json["sources"][0]["received"].get<std::uint64_t>();
  }
  template <class Condition>
  void until(Condition condition) const {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) FAIL("the condition did not come true within 30 s");
      std::this_thread::yield();
    }
  }

  TemporaryFolder folder;
  std::atomic<std::uint64_t> received{1};
  std::atomic<std::uint64_t> asked{0};
};

}  // namespace

TEST_CASE("a run's figures are kept from its beginning, as they change, and at its end with how it ended") {
  Run run;
  CHECK_FALSE(read_last_run(run.folder.path()));
  {
    LastRun last(run.folder.path(), run.said(), quiet(), make_posix_file_io(), 1ms);
    run.until([&] { return run.kept_received() == 1; });
    CHECK_FALSE(run.kept().contains("ended"));
    run.received = 2;
    run.until([&] { return run.kept_received() == 2; });
    run.received = 3;
    last.end("finished");
    CHECK(run.kept_received() == 3);
    CHECK(run.kept()["ended"] == "finished");
  }
  CHECK(run.kept()["ended"] == "finished");
  CHECK((std::filesystem::status(run.folder.path() / kLastRunFile).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("a run that does not come to its end leaves figures that do not say so") {
  Run run;
  {
    const LastRun last(run.folder.path(), run.said(), quiet(), make_posix_file_io(), 1h);
    run.until([&] { return run.kept_received() == 1; });
    run.received = 9;  // too late for the next interval
  }
  CHECK(run.kept_received() == 1);
  CHECK_FALSE(run.kept().contains("ended"));
}

TEST_CASE("where the accounts do not change nothing is written") {
  Run run;
  const LastRun last(run.folder.path(), run.said(), quiet(), make_posix_file_io(), 1ms);
  run.until([&] { return run.kept_received() == 1; });
  const auto before = run.kept().at("written_at");  // to the microsecond
  const std::uint64_t asked = run.asked;
  run.until([&] { return run.asked > asked + 20; });
  CHECK(run.kept().at("written_at") == before);
  run.received = 2;
  run.until([&] { return run.kept_received() == 2; });
}

TEST_CASE("it is told to write at once, also within an interval") {
  Run run;
  LastRun last(run.folder.path(), run.said(), quiet(), make_posix_file_io(), 1h);
  run.until([&] { return run.kept_received() == 1; });
  run.received = 2;
  last.store_soon();
  run.until([&] { return run.kept_received() == 2; });
}

TEST_CASE("a disk that is full ends nothing: the old figures stay whole, and it goes on when there is room") {
  Run run;
  const auto faults = std::make_shared<FileFaults>();
  LastRun last(run.folder.path(), run.said(), quiet(), std::make_unique<FaultyFileIo>(faults), 1ms);
  run.until([&] { return run.kept_received() == 1; });
  for (const char* operation : {"open", "write", "sync", "rename", "remove"}) {
    INFO(operation);
    faults->fail(operation, ENOSPC, kLastRunFile);
    const std::uint64_t before = run.received++;
    const std::uint64_t asked = run.asked;
    run.until([&] { return run.asked > asked + 5; });
    if (std::string_view(operation) != "remove") CHECK(run.kept_received() == before);
    faults->clear();
    run.until([&] { return run.kept_received() == before + 1; });
  }
  faults->fail("write", ENOSPC, kLastRunFile);
  last.end("stopped");
  CHECK_FALSE(run.kept().contains("ended"));
}

TEST_CASE("what a crash left of an unfinished write is in nobody's way") {
  Run run;
  std::ofstream(run.folder.path() / "last-run.json.tmp") << std::string(100'000, 'x');
  const LastRun last(run.folder.path(), run.said(), quiet(), make_posix_file_io(), 1ms);
  run.until([&] { return run.kept_received() == 1; });
}
