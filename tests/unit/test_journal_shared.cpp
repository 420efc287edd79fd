// What both journals promise to those who come in by a second way, or look on from outside.
#include <hbagent/testing.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "journal/disk_journal.hpp"
#include "journal/memory_journal.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

using Clock = Journal::Clock;

struct Both {
  explicit Both(bool on_disk, bool drop_oldest = false) {
    if (!on_disk) {
      journal = std::make_unique<MemoryJournal>(MemoryJournal::Settings{256 << 10, drop_oldest}, logger);
      return;
    }
    journal = std::make_unique<DiskJournal>(
        make_posix_file_io(), DiskJournal::Settings{folder.path(), 2 << 20, drop_oldest, std::chrono::milliseconds(1)},
        logger);
  }
  AppendResult append(std::size_t source, std::size_t count, std::uint64_t token) const {
    const std::vector<hb_reading> readings(count, hb::testing::make_reading("c", 1, 60));
    SourceTerms terms;
    terms.received = count;
    return journal->append(source, readings, token, terms);
  }
  std::size_t read_and_commit(std::size_t sink, std::size_t limit) const {
    JournalBatch batch;
    journal->read(sink, limit, batch);
    SinkTerms terms;
    terms.delivered = batch.readings.size();
    terms.filtered = batch.filtered;
    journal->commit(sink, terms);
    return batch.readings.size();
  }

  TemporaryFolder folder;
  Logger logger{LogFormat::text, LogLevel::error};
  std::unique_ptr<Journal> journal;
};

}  // namespace

TEST_CASE("a second way in has tokens of its own, is the same source to the sinks, and on the same account") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t first = journal.add_source("one"), other = journal.add_source("other");
  const std::size_t sink = journal.add_sink({"s", {"one"}, 0, false});
  const std::size_t second = journal.add_source("one");
  REQUIRE(both.append(first, 3, 7) == AppendResult::appended);
  REQUIRE(both.append(second, 2, 1) == AppendResult::appended);
  REQUIRE(both.append(other, 5, 1) == AppendResult::appended);
  auto view = journal.snapshot();
  CHECK(view.sources[first].journaled == 5);
  CHECK(view.sources[second].journaled == 0);
  CHECK(both.read_and_commit(sink, 100) == 5);
  journal.wait_acked(second, 1, Clock::now() + std::chrono::seconds(30));
  CHECK(journal.acked(second) == 1);
  journal.wait_acked(first, 7, Clock::now() + std::chrono::seconds(30));
  CHECK(journal.acked(first) == 7);

  journal.stop_source(second);
  journal.release_source(second);
  journal.remove_source(second);
  view = journal.snapshot();
  CHECK(view.sources[first].journaled == 5);
  CHECK(view.sources[first].balanced());
  CHECK(view.sinks[sink].filtered == 5);
}

TEST_CASE("a source that waits for its turn behind one that waits for room can be stopped") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t full = journal.add_source("full"), behind = journal.add_source("behind");
  journal.add_sink({"s", {}, 0, false});
  std::thread one([&] {
    for (std::uint64_t token = 1; both.append(full, 1000, token) == AppendResult::appended; ++token) continue;
  });
  // Nobody reads: sooner or later it waits, and lets nobody else append.
  const auto nearly_full = [&] {
    const auto view = journal.snapshot();
    return view.used_bytes > view.max_bytes * 3 / 4 && view.sources[full].journaled >= 3000;
  };
  while (!nearly_full()) std::this_thread::yield();
  std::thread two([&] {
    for (std::uint64_t token = 1; both.append(behind, 1000, token) == AppendResult::appended; ++token) continue;
  });
  journal.stop_source(behind);
  two.join();
  CHECK(journal.snapshot().sources[full].balanced());
  journal.stop_source(full);
  one.join();
}

TEST_CASE("a source can wait for room without an append that waits for it") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t full = journal.add_source("full"), looking = journal.add_source("looking");
  const std::size_t sink = journal.add_sink({"s", {}, 0, false});
  CHECK(journal.wait_room(looking, Clock::now()));
  std::atomic<std::uint64_t> last{0};
  std::thread one([&] {
    for (std::uint64_t token = 1; both.append(full, 100, token) == AppendResult::appended; ++token) last = token;
  });
  while (journal.wait_room(looking, Clock::now())) std::this_thread::yield();
  CHECK_FALSE(journal.wait_room(looking, Clock::now() + std::chrono::milliseconds(5)));
  journal.stop_source(full);
  one.join();

  auto waiting = std::async(std::launch::async,
                            [&] { return journal.wait_room(looking, Clock::now() + std::chrono::seconds(60)); });
  for (std::size_t read = 0; read < last * 100; read += both.read_and_commit(sink, 1000)) continue;
  CHECK(waiting.get());
  CHECK(both.append(looking, 10, 1) == AppendResult::appended);
}

TEST_CASE("a source that waits for room can be stopped") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t full = journal.add_source("full"), looking = journal.add_source("looking");
  journal.add_sink({"s", {}, 0, false});
  std::thread one([&] {
    for (std::uint64_t token = 1; both.append(full, 100, token) == AppendResult::appended; ++token) continue;
  });
  while (journal.wait_room(looking, Clock::now())) std::this_thread::yield();
  auto waiting = std::async(std::launch::async,
                            [&] { return journal.wait_room(looking, Clock::now() + std::chrono::seconds(60)); });
  journal.stop_source(looking);
  CHECK_FALSE(waiting.get());
  journal.stop_source(full);
  one.join();
}

TEST_CASE("drop_oldest takes nothing from a sink that waits for a larger batch than the journal holds") {
  const bool on_disk = GENERATE(false, true);
  const Both both(on_disk, true);
  Journal& journal = *both.journal;
  const std::size_t source = journal.add_source("one");
  const std::size_t sink = journal.add_sink({"s", {}, 0, false});
  const std::uint64_t wakes =
      on_disk ? 5'100 : 1'500;  // within 100 readings: what the whole bound less a part is good for
  std::uint64_t token = 0;
  for (int round = 0; round < 60; ++round) {  // several times what there is room for
    auto woken = std::async(std::launch::async,
                            [&] { return journal.wait(sink, 1'000'000, Clock::now() + std::chrono::seconds(30)); });
    while (journal.snapshot().sinks[sink].pending < wakes) {
      REQUIRE(both.append(source, 100, ++token) == AppendResult::appended);
    }
    CHECK(woken.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    CHECK(woken.get() >= wakes - 200);
    CHECK(both.read_and_commit(sink, 1'000'000) >= wakes);
    CHECK(journal.snapshot().sinks[sink].dropped == 0);
  }
}

TEST_CASE("one nudge ends one wait of a sink, also when it comes first") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  journal.add_source("one");
  const std::size_t sink = journal.add_sink({"s", {}, 0, false});
  journal.nudge(sink);
  CHECK(journal.wait(sink, 1, Clock::time_point::max()) == 0);
  CHECK(journal.wait(sink, 1, Clock::now() + std::chrono::milliseconds(1)) == 0);  // only one
  std::thread other([&] { journal.nudge(sink); });
  CHECK(journal.wait(sink, 1, Clock::time_point::max()) == 0);
  other.join();
}

TEST_CASE("a sink whose thread is left behind inside its plugin changes nothing for the one in its place") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t source = journal.add_source("one");
  const std::size_t stuck = journal.add_sink({"s", {}, 0, false});
  REQUIRE(both.append(source, 100, 1) == AppendResult::appended);
  CHECK(both.read_and_commit(stuck, 60) == 60);
  JournalBatch in_hand;
  journal.read(stuck, 30, in_hand);
  journal.remove_sink(stuck, false);
  const std::size_t next = journal.add_sink({"s", {}, 0, false});
  CHECK(journal.snapshot().sinks[next].pending == 40);
  CHECK(both.read_and_commit(next, 40) == 40);

  SinkTerms late;
  late.delivered = in_hand.readings.size();
  journal.commit(stuck, late);  // its plugin has returned at last
  const auto view = journal.snapshot();
  CHECK(view.sinks[next].pending == 0);
  CHECK(view.sinks[next].delivered == 100);
  CHECK(view.sinks[next].balanced());
  CHECK(view.sinks[stuck].delivered == 0);
}

TEST_CASE("a sink that is about to end loses no more than it had to get") {
  const Both both(GENERATE(false, true), true);
  Journal& journal = *both.journal;
  const std::size_t source = journal.add_source("one");
  const std::size_t sink = journal.add_sink({"s", {}, 0, false});
  REQUIRE(both.append(source, 1000, 1) == AppendResult::appended);
  journal.close_sink(sink);
  for (std::uint64_t token = 2; token <= 70; ++token)
    REQUIRE(both.append(source, 1000, token) == AppendResult::appended);
  const auto terms = journal.snapshot().sinks[sink];
  CHECK(terms.journaled == 1000);
  CHECK(terms.dropped == 1000);
  CHECK(terms.pending == 0);
  CHECK(terms.balanced());
}

TEST_CASE("wait_done waits for every sink") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t source = journal.add_source("one");
  const std::size_t quick = journal.add_sink({"quick", {}, 0, false});
  const std::size_t slow = journal.add_sink({"slow", {}, 0, false});
  CHECK(journal.wait_done(journal.end(), Clock::now()));
  REQUIRE(both.append(source, 10, 1) == AppendResult::appended);
  CHECK(both.read_and_commit(quick, 10) == 10);
  CHECK(both.read_and_commit(slow, 4) == 4);
  CHECK_FALSE(journal.wait_done(journal.end(), Clock::now() + std::chrono::milliseconds(1)));
  std::thread other([&] { CHECK(both.read_and_commit(slow, 6) == 6); });
  CHECK(journal.wait_done(journal.end(), Clock::now() + std::chrono::seconds(30)));
  other.join();
  // What comes later is not waited for.
  const std::uint64_t end = journal.end();
  REQUIRE(both.append(source, 10, 2) == AppendResult::appended);
  CHECK(journal.wait_done(end, Clock::now()));
  CHECK_FALSE(journal.wait_done(journal.end(), Clock::now()));
}

TEST_CASE("at any moment the sources' accounts, the journal's positions and what each sink saw are the same readings") {
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t one = journal.add_source("one"), two = journal.add_source("two");
  const std::size_t sink = journal.add_sink({"s", {}, 0, false});
  const auto writer = [&](std::size_t source, std::size_t count) {
    // More than there is room for: appended in several parts.
    for (std::uint64_t token = 1; both.append(source, count, token) == AppendResult::appended; ++token) continue;
  };
  std::thread first(writer, one, 1999), second(writer, two, 7);
  std::thread reader([&] {
    while (journal.wait(sink, 1, Clock::time_point::max()) > 0) both.read_and_commit(sink, 500);
  });
  std::string wrong;
  for (std::uint64_t journaled = 0; journaled < 300'000 && wrong.empty();) {
    const auto view = journal.snapshot();
    journaled = 0;
    for (const SourceTerms& source : view.sources) {
      journaled += source.journaled;
      if (!source.balanced()) wrong = "a source does not balance";
    }
    const SinkTerms& terms = view.sinks[sink];
    if (!terms.balanced()) wrong = "the sink does not balance";
    if (journaled != view.appended || terms.journaled != terms.lay_before + journaled - terms.began_at) {
      wrong = "journaled " + std::to_string(journaled) + ", appended " + std::to_string(view.appended) + ", seen " +
              std::to_string(terms.journaled);
    }
  }
  journal.stop_source(one);
  journal.stop_source(two);
  first.join();
  second.join();
  journal.interrupt(sink);
  reader.join();
  CHECK(wrong.empty());
}

TEST_CASE("a sink that pauses goes on with its account, one that was gone for good begins anew") {
  const bool for_good = GENERATE(false, true);
  const Both both(GENERATE(false, true));
  Journal& journal = *both.journal;
  const std::size_t source = journal.add_source("one");
  REQUIRE(both.append(source, 10, 1) == AppendResult::appended);
  journal.add_sink({"other", {}, 0, true});  // keeps what comes
  const std::size_t before = journal.add_sink({"s", {}, 0, true});
  REQUIRE(both.append(source, 10, 2) == AppendResult::appended);
  CHECK(both.read_and_commit(before, 4) == 4);
  if (for_good) journal.close_sink(before);
  journal.remove_sink(before, for_good);
  REQUIRE(both.append(source, 5, 3) == AppendResult::appended);
  const std::size_t after = journal.add_sink({"s", {}, 0, true});
  REQUIRE(both.append(source, 1, 4) == AppendResult::appended);
  const SinkTerms terms = journal.snapshot().sinks[after];
  CHECK(terms.balanced());
  CHECK(terms.delivered == 4);
  CHECK(terms.began_at == (for_good ? 25 : 10));
  CHECK(terms.journaled == terms.lay_before + 26 - terms.began_at);
}
