#include <hbagent/testing.hpp>

#include <random>
#include <thread>

#include "journal/memory_journal.hpp"
#include "quiet_log.hpp"
#include "support/catch.hpp"

using hbagent::AppendResult;
using hbagent::Journal;
using hbagent::JournalBatch;
using hbagent::JournalSink;
using hbagent::MemoryJournal;
using hbagent::SinkTerms;
using hbagent::SourceTerms;

namespace {

constexpr auto kNow = [] { return Journal::Clock::now(); };

struct Setup {
  MemoryJournal::Settings journal;
  std::size_t sources;
  std::vector<JournalSink> sinks;
};

Setup settings(std::size_t sources, std::size_t sinks, std::uint64_t max_bytes = 64 << 20) {
  return {{max_bytes, false}, sources, std::vector<JournalSink>(sinks)};
}

// Sources "0", "1", ..., and the sinks of the setup, which get such names too.
std::unique_ptr<Journal> make(const Setup& setup) {
  auto journal = std::make_unique<MemoryJournal>(setup.journal, quiet());
  for (std::size_t i = 0; i < setup.sources; ++i) journal->add_source(std::to_string(i));
  for (const JournalSink& sink : setup.sinks) journal->add_sink(sink);
  return journal;
}

// Readings whose time is their serial number.
std::vector<hb_reading> numbered(std::uint64_t& next, std::size_t count, std::uint16_t flags = 0) {
  std::vector<hb_reading> readings;
  for (std::size_t i = 0; i < count; ++i) {
    readings.push_back(hb::testing::make_reading("c", static_cast<std::int64_t>(next++), 60, flags));
  }
  return readings;
}

AppendResult append(Journal& journal, std::size_t source, const std::vector<hb_reading>& readings,
                    std::uint64_t token) {
  SourceTerms terms;
  terms.received = readings.size();
  return journal.append(source, readings, token, terms);
}

SinkTerms delivered(const JournalBatch& batch) {
  SinkTerms terms;
  terms.delivered = batch.readings.size();
  terms.filtered = batch.filtered;
  return terms;
}

}  // namespace

TEST_CASE("a token is acked only when every sink is done with it") {
  const auto owner = make(settings(1, 2));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, numbered(next, 3), 10);
  append(journal, 0, numbered(next, 3), 20);
  JournalBatch batch;

  journal.read(0, 100, batch);
  journal.commit(0, delivered(batch));
  CHECK(journal.acked(0) == 0);

  journal.read(1, 4, batch);  // one and a third emits
  journal.commit(1, delivered(batch));
  CHECK(journal.acked(0) == 10);
  journal.read(1, 4, batch);
  journal.commit(1, delivered(batch));
  CHECK(journal.acked(0) == 20);
}

TEST_CASE("an emit without readings is acked in its order") {
  const auto owner = make(settings(1, 1));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, {}, 1);
  CHECK(journal.acked(0) == 1);
  append(journal, 0, numbered(next, 2), 2);
  append(journal, 0, {}, 3);
  CHECK(journal.acked(0) == 1);
  JournalBatch batch;
  journal.read(0, 100, batch);
  journal.commit(0, delivered(batch));
  CHECK(journal.acked(0) == 3);
}

TEST_CASE("from and where leave readings out and count them") {
  auto made = settings(2, 2);
  made.sinks[0].from = {"1"};
  made.sinks[1].flags = HB_FLAG_HIGH;
  const auto owner = make(std::move(made));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, numbered(next, 5), 1);
  append(journal, 1, numbered(next, 4, HB_FLAG_HIGH), 1);

  JournalBatch batch;
  journal.read(0, 100, batch);
  REQUIRE(batch.readings.size() == 4);
  CHECK(batch.filtered == 5);
  CHECK(batch.source_of(0) == 1);
  CHECK(batch.readings[0].time_us == 5);
  journal.read(1, 100, batch);
  CHECK(batch.readings.size() == 4);
  CHECK(batch.filtered == 5);
}

TEST_CASE("an append to a full journal blocks until there is room, and stop_source ends it") {
  const auto owner = make(settings(1, 1, 1));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, numbered(next, MemoryJournal::kChunkReadings), 1);
  const auto before = journal.snapshot();

  SECTION("room comes") {
    std::thread reader([&] {
      JournalBatch batch;
      std::uint64_t seen = 0;
      while (seen < 2 * MemoryJournal::kChunkReadings) {
        journal.wait(0, 1, Journal::Clock::time_point::max());
        journal.read(0, 100, batch);
        seen += batch.readings.size();
        journal.commit(0, delivered(batch));
      }
    });
    CHECK(append(journal, 0, numbered(next, MemoryJournal::kChunkReadings), 2) == AppendResult::appended);
    reader.join();
    CHECK(journal.acked(0) == 2);
  }
  SECTION("it is stopped half way, with more readings added than received") {
    JournalBatch batch;
    journal.read(0, 1000, batch);
    journal.commit(0, delivered(batch));
    journal.read(0, 24, batch);
    std::thread stopper([&] {
      journal.commit(0, delivered(batch));
      while (journal.snapshot().sinks[0].journaled == before.sinks[0].journaled) std::this_thread::yield();
      journal.stop_source(0);
    });
    SourceTerms terms;
    terms.received = 1;
    terms.added = 2 * MemoryJournal::kChunkReadings;
    CHECK(journal.append(0, numbered(next, 1 + 2 * MemoryJournal::kChunkReadings), 2, terms) == AppendResult::stopped);
    stopper.join();
    CHECK(journal.snapshot().sinks[0].journaled > before.sinks[0].journaled);
  }
  SECTION("it is stopped") {
    std::thread stopper([&] { journal.stop_source(0); });
    CHECK(append(journal, 0, numbered(next, 10), 2) == AppendResult::stopped);
    stopper.join();
    const auto after = journal.snapshot();
    CHECK(after.sinks[0].journaled == before.sinks[0].journaled);
    CHECK(after.sources[0].received == before.sources[0].received);
  }
  CHECK(journal.snapshot().sources[0].balanced());
}

TEST_CASE("drop_oldest drops what no sink has in hand, and counts it") {
  auto made = settings(1, 2, 1);
  made.journal.drop_oldest = true;
  const auto owner = make(std::move(made));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, numbered(next, 1000), 1);
  JournalBatch in_hand;
  journal.read(0, 600, in_hand);
  for (std::uint64_t token = 2; token < 8; ++token) append(journal, 0, numbered(next, 1000), token);

  journal.commit(0, delivered(in_hand));
  const auto view = journal.snapshot();
  for (const auto& sink : view.sinks) CHECK(sink.balanced());
  CHECK(view.sinks[0].delivered == 600);
  CHECK(view.sinks[0].dropped > 0);
  CHECK(view.sinks[1].dropped == view.sinks[0].dropped + 600);
  CHECK(view.used_bytes <= view.max_bytes);
}

TEST_CASE("what drop_oldest passes while a sink has it in hand is acked only when that sink is done") {
  auto made = settings(2, 1, 1);
  made.journal.drop_oldest = true;
  const auto owner = make(std::move(made));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, numbered(next, 500), 1);
  JournalBatch in_hand;
  journal.read(0, 500, in_hand);
  for (std::uint64_t token = 1; token < 8; ++token) append(journal, 1, numbered(next, 1000), token);
  CHECK(journal.snapshot().sinks[0].dropped > 0);
  CHECK(journal.acked(0) == 0);
  CHECK(journal.acked(1) == 0);

  std::thread waiting([&] { journal.wait_acked(0, 1, Journal::Clock::time_point::max()); });
  journal.commit(0, delivered(in_hand));
  waiting.join();
  CHECK(journal.acked(0) == 1);
  CHECK(journal.acked(1) > 0);
}

TEST_CASE("wait returns early when enough is there, and late when not") {
  const auto owner = make(settings(1, 1));
  Journal& journal = *owner;
  std::uint64_t next = 0;
  append(journal, 0, numbered(next, 5), 1);
  CHECK(journal.wait(0, 5, Journal::Clock::time_point::max()) == 5);
  CHECK(journal.wait(0, 6, kNow() + std::chrono::milliseconds(5)) == 5);
  std::thread appender([&] { append(journal, 0, numbered(next, 5), 2); });
  CHECK(journal.wait(0, 10, Journal::Clock::time_point::max()) == 10);
  appender.join();
  std::thread interrupter([&] { journal.interrupt(0); });
  CHECK(journal.wait(0, 1000, Journal::Clock::time_point::max()) == 10);
  interrupter.join();
}

TEST_CASE("any mix of appends, reads and drops keeps order and balances") {
  const auto drop_oldest = GENERATE(false, true);
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::uint64_t below) { return random() % below; };
    auto made = settings(3, 3, drop_oldest ? 200'000 : 64 << 20);
    made.journal.drop_oldest = drop_oldest;
    made.sinks[1].from = {"0", "2"};
    made.sinks[2].flags = HB_FLAG_LOW;
    const auto owner = make(std::move(made));
    Journal& journal = *owner;
    struct Held {
      JournalBatch batch;
      bool open = false;
      std::int64_t last_seen = -1;
    };
    std::vector<Held> sinks(3);
    std::vector<std::uint64_t> tokens(3, 0);
    std::uint64_t next = 0;
    for (int step = 0; step < 400; ++step) {
      const std::size_t who = pick(3);
      if (pick(3) != 0) {
        append(journal, who, numbered(next, pick(pick(2) == 0 ? 5 : 2500), pick(2) == 0 ? HB_FLAG_LOW : 0),
               ++tokens[who]);
      } else if (Held& held = sinks[who]; held.open) {
        journal.commit(who, delivered(held.batch));
        held.open = false;
      } else {
        journal.read(who, 1 + pick(4000), held.batch);
        held.open = true;
        for (const hb_reading& reading : held.batch.readings) {
          REQUIRE(reading.time_us > held.last_seen);
          held.last_seen = reading.time_us;
        }
      }
      const auto view = journal.snapshot();
      for (const auto& sink : view.sinks) REQUIRE(sink.balanced());
    }
    for (std::size_t who = 0; who < 3; ++who) {
      if (sinks[who].open) journal.commit(who, delivered(sinks[who].batch));
      while (journal.wait(who, 1, kNow()) > 0) {
        journal.read(who, 3000, sinks[who].batch);
        journal.commit(who, delivered(sinks[who].batch));
      }
    }
    const auto view = journal.snapshot();
    for (std::size_t who = 0; who < 3; ++who) {
      CHECK(view.sinks[who].pending == 0);
      CHECK(view.sinks[who].balanced());
      CHECK((drop_oldest || view.sinks[who].dropped == 0));
      CHECK(journal.acked(who) == tokens[who]);
    }
    CHECK(view.sinks[0].delivered + view.sinks[0].dropped == next);
  }
}

TEST_CASE("sources and sinks on their own threads lose and double nothing") {
  const auto owner = make(settings(3, 2, 300'000));
  Journal& journal = *owner;
  constexpr std::size_t kEach = 60'000;
  std::vector<std::thread> threads;
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
  std::vector<std::vector<std::int64_t>> expected(2, std::vector<std::int64_t>(3, 0));
  bool in_order = true;
  for (std::size_t sink = 0; sink < 2; ++sink) {
    threads.emplace_back([&, sink] {
      JournalBatch batch;
      for (std::size_t seen = 0; seen < 3 * kEach;) {
        journal.wait(sink, 1000, kNow() + std::chrono::milliseconds(1));
        journal.read(sink, 5000, batch);
        for (std::size_t i = 0; i < batch.readings.size(); ++i) {
          if (batch.readings[i].time_us != expected[sink][batch.source_of(i)]++) in_order = false;
        }
        seen += batch.readings.size();
        journal.commit(sink, delivered(batch));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(in_order);
  const auto view = journal.snapshot();
  for (const auto& sink : view.sinks) CHECK(sink.delivered == 3 * kEach);
  for (const auto& source : view.sources) CHECK(source.balanced());
}
