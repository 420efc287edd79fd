#include <hbagent/catch.hpp>
#include <hbagent/testing.hpp>

#include <random>

#include "board.hpp"
#include "reference.hpp"

using namespace hb::dashboard;
using namespace std::chrono_literals;
using hb::testing::make_reading;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'800'000'000;  // seconds since the epoch

Board::Config small(std::size_t customers = 10) {
  return {60s, 10s, customers};
}

void put(Board& board, const hb::Reading& reading, std::int64_t now_us) {
  std::vector<std::uint32_t> duplicates;
  board.add({&reading, 1}, now_us, duplicates);
}

void check_same(Board& board, const Reference& reference, std::int64_t now_us) {
  const std::int64_t now = now_us / kSecond;
  const Overview seen = board.overview(now_us);
  std::uint64_t count = 0;
  std::int64_t sum = 0;
  std::int32_t minimum = INT32_MAX;
  std::int32_t maximum = INT32_MIN;
  std::array<std::uint64_t, 60> bins{};
  for (const auto& kept : reference.all) {
    if (kept.slot <= now - 60) continue;
    const int rate = kept.reading.heart_rate;
    ++count;
    sum += rate;
    minimum = std::min(minimum, rate);
    maximum = std::max(maximum, rate);
    ++bins[static_cast<std::size_t>(rate < 20 ? 0 : rate >= 320 ? 59 : (rate - 20) / 5)];
  }
  REQUIRE(seen.readings == reference.all.size());
  REQUIRE(seen.window.count == count);
  REQUIRE(seen.window.sum == sum);
  REQUIRE(seen.window.minimum.value_or(INT32_MAX) == minimum);
  REQUIRE(seen.window.maximum.value_or(INT32_MIN) == maximum);
  REQUIRE(seen.window.bins == bins);
  REQUIRE(seen.known == reference.customers.size());
  REQUIRE(board.evicted() == reference.evicted);

  std::uint64_t high = 0;
  std::vector<std::string> ids;
  for (const auto& [id, one] : reference.customers) {
    ids.push_back(id);
    high += (Reference::newest(one).reading.flags & HB_FLAG_HIGH) != 0 ? 1 : 0;
  }
  REQUIRE(seen.high == high);
  const History history = board.history(ids, std::nullopt, now_us);
  REQUIRE(history.from_s == now - 59);
  for (const Series& series : history.series) {
    const auto& one = reference.customers.at(series.id);
    REQUIRE(series.values.size() == 60);
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const auto slot = history.from_s + static_cast<std::int64_t>(i);
      REQUIRE(series.values[i] == Reference::value(one, slot).value_or(kNoReading));
      REQUIRE(series.flags[i] == Reference::flags(one, slot));
    }
  }
  for (const Tile& tile : seen.wall) {
    const auto& newest = Reference::newest(reference.customers.at(tile.id));
    REQUIRE(tile.heart_rate == newest.reading.heart_rate);
    REQUIRE(tile.time_us == newest.reading.time_us);
  }
}

}  // namespace

TEST_CASE("random readings show as a plain account of them does: late, early, doubled, of too many customers") {
  const auto seed = static_cast<unsigned>(GENERATE(range(1, 21)));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto dice = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  Board board(small());
  Reference reference(60, 10);
  std::int64_t now_us = kStart * kSecond;
  std::vector<hb::Reading> sent;
  for (int step = 0; step < 400; ++step) {
    now_us += dice(0, 20) == 0 ? dice(0, 200) * kSecond : dice(0, 1'500'000);
    std::vector<hb::Reading> batch;
    std::vector<std::uint32_t> expected;
    for (int i = dice(0, 12); i > 0; --i) {
      const std::int64_t away = dice(0, 9) < 8 ? dice(-3'000'000, 1'000'000) : dice(-90, 30) * kSecond;
      // Rarely more customers than fit, so that some stay long enough to be seen.
      const std::string id = "c" + std::to_string(dice(0, dice(0, 9) == 0 ? 11 : 8));
      batch.push_back(make_reading(id, now_us + away, dice(0, 20) == 0 ? dice(-5, 400) : dice(40, 180),
                                   static_cast<std::uint16_t>(dice(0, 3) == 0 ? dice(0, 31) : 0)));
      if (!sent.empty() && dice(0, 5) == 0)
        batch.back() =
            sent[sent.size() - 1 -
                 static_cast<std::size_t>(dice(0, static_cast<int>(std::min<std::size_t>(sent.size(), 20)) - 1))];
      batch.back().heart_rate = std::max(batch.back().heart_rate, 0);
      sent.push_back(batch.back());
    }
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (!reference.add(batch[i], now_us / kSecond)) expected.push_back(i);
    }
    std::vector<std::uint32_t> duplicates;
    board.add(batch, now_us, duplicates);
    REQUIRE(duplicates == expected);
    if (step % 10 == 0) check_same(board, reference, now_us);
  }
  check_same(board, reference, now_us);
}

TEST_CASE("an alert begins and ends with the flag of the newest reading") {
  Board board(small());
  const auto at = [](int seconds) { return (kStart + seconds) * kSecond; };
  put(board, make_reading("anna", at(0), 70), at(0));
  put(board, make_reading("anna", at(1), 130, HB_FLAG_HIGH | HB_FLAG_JUMP), at(1));
  put(board, make_reading("anna", at(2), 131, HB_FLAG_HIGH), at(2));
  put(board, make_reading("anna", at(0) + 1, 40, HB_FLAG_LOW), at(2));  // late: not the newest
  put(board, make_reading("anna", at(3), 80), at(3));
  const auto alerts = board.overview(at(3)).alerts;
  REQUIRE(alerts.size() == 4);
  CHECK((alerts[3].kind == HB_FLAG_HIGH && alerts[3].began && alerts[3].heart_rate == 130 && alerts[3].n == 1));
  CHECK((alerts[2].kind == HB_FLAG_JUMP && alerts[2].began));
  CHECK((alerts[1].kind == HB_FLAG_JUMP && !alerts[1].began && alerts[1].time_us == at(2)));
  CHECK((alerts[0].kind == HB_FLAG_HIGH && !alerts[0].began && alerts[0].id == "anna" && alerts[0].n == 4));
  for (int i = 0; i < 100; ++i) {
    put(board, make_reading("bert", at(4 + i), 130, i % 2 == 0 ? HB_FLAG_HIGH : 0), at(4 + i));
  }
  CHECK(board.overview(at(104)).alerts.size() == kMaxAlerts);
  CHECK(board.overview(at(104)).alerts.front().n == 104);
}

TEST_CASE("the wall is ordered by severity and id, and who is silent is stale") {
  Board board(small());
  const std::int64_t now = kStart * kSecond;
  put(board, make_reading("zoe", now, 190, HB_FLAG_HIGH), now);
  put(board, make_reading("yan", now, 70, HB_FLAG_FLATLINE), now);
  put(board, make_reading("old", now - 11 * kSecond, 70), now);
  put(board, make_reading("bea", now, 70), now);
  put(board, make_reading("ada", now, 70, HB_FLAG_CLOCK), now);
  const Overview seen = board.overview(now);
  REQUIRE(seen.wall.size() == 5);
  const std::vector<std::pair<std::string, int>> expected{{"zoe", 3}, {"yan", 2}, {"old", 1}, {"ada", 0}, {"bea", 0}};
  for (std::size_t i = 0; i < 5; ++i) CHECK(std::pair(seen.wall[i].id, seen.wall[i].severity) == expected[i]);
  CHECK((seen.active == 4 && seen.stale == 1 && seen.high == 1 && seen.low == 0 && seen.flatline == 1));
  CHECK(seen.wall[2].age_us == 11 * kSecond);
  CHECK(board.overview(now + 10 * kSecond).stale == 1);
  CHECK(board.overview(now + 10 * kSecond + 1).stale == 5);

  CustomerQuery query;
  query.status = CustomerQuery::Status::alert;
  CHECK(board.customers(query, now).matched == 2);
  query.status = CustomerQuery::Status::ok;
  CHECK(board.customers(query, now).matched == 2);
  query.status = CustomerQuery::Status::stale;
  CHECK(board.customers(query, now).tiles.at(0).id == "old");
  query = {"A", CustomerQuery::Status::all, true, 2, 1};
  const auto list = board.customers(query, now);  // ada, bea, yan have an a
  CHECK(list.matched == 3);
  REQUIRE(list.tiles.size() == 2);
  CHECK(list.tiles[0].id == "bea");
  query.offset = 100;
  CHECK(board.customers(query, now).tiles.empty());
}

TEST_CASE("the trend is up or down from 3 bpm between the last 10 s and the 20 s before") {
  const auto trend = [](int before, int after) {
    Board board(small());
    for (int i = 0; i < 30; ++i) {
      const std::int64_t now = (kStart + i) * kSecond;
      put(board, make_reading("a", now, i < 20 ? before : after), now);
    }
    return board.overview((kStart + 29) * kSecond).wall.at(0).trend;
  };
  CHECK(trend(70, 73) == 1);
  CHECK(trend(70, 72) == 0);
  CHECK(trend(70, 67) == -1);
}

TEST_CASE("a replay of old readings is shown as it comes, and a clock that goes back begins the axis anew") {
  Board board(small());
  std::int64_t now = kStart * kSecond;
  for (int i = 0; i < 5; ++i) put(board, make_reading("a", i * kSecond, 60 + i), now += kSecond);
  CHECK(board.overview(now).wall.at(0).heart_rate == 64);
  CHECK(board.overview(now).wall.at(0).age_us == 0);
  CHECK(board.overview(now).window.count == 5);

  now -= 3600 * kSecond;
  put(board, make_reading("a", now, 90), now);
  const Overview seen = board.overview(now);
  CHECK(seen.window.count == 1);
  CHECK(seen.readings == 6);
  CHECK(seen.wall.at(0).heart_rate == 90);
  CHECK(seen.wall.at(0).spark.at(58) == kNoReading);
  CHECK(seen.now_us == now);
}

TEST_CASE("times that no device can have measured do no harm") {
  Board board(small());
  const std::int64_t now = kStart * kSecond;
  for (const std::int64_t time : {INT64_MIN, INT64_MIN + 1, INT64_MAX, std::int64_t{-1}, std::int64_t{0}}) {
    put(board, make_reading("a", 1, 60), now);
    hb::Reading reading = make_reading("b", 1, 60);
    reading.time_us = time;
    put(board, reading, now);
  }
  CHECK(board.overview(now).window.count == 6);
}

TEST_CASE("the rate is that of the last whole seconds, the lag the median of the last one") {
  Board board(small());
  for (int i = 0; i < 100; ++i) {
    const std::int64_t now = kStart * kSecond + i * 100'000;
    put(board, make_reading("a", now - 1000 * (i % 10), 60), now);
  }
  const Overview seen = board.overview((kStart + 10) * kSecond);
  CHECK(seen.readings_per_s == Approx(10));
  CHECK(seen.lag_us == 4000);
  CHECK_FALSE(board.overview((kStart + 12) * kSecond).lag_us);
  CHECK(board.overview((kStart + 60) * kSecond).readings_per_s == 0);
}
