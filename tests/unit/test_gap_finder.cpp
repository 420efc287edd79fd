// What is missing, doubled, changed and foreign in a store.
#include <hbagent/testing.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "gap_finder.hpp"
#include "support/catch.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

hb_reading reading(const std::string& customer, std::int64_t time_us, std::int32_t rate = 60) {
  hb_reading made{};
  made.time_us = time_us;
  made.heart_rate = rate;
  std::copy(customer.begin(), customer.end(), made.customer_id);
  return made;
}

// In batches of few, so that every kind of boundary comes.
class Readings final : public ReadingStream {
 public:
  explicit Readings(std::vector<hb_reading> all, std::size_t batch = 3) : all_(std::move(all)), batch_(batch) {}
  bool next(std::vector<hb_reading>& batch) override {
    const std::size_t end = std::min(all_.size(), at_ + batch_);
    batch.assign(all_.begin() + static_cast<std::ptrdiff_t>(at_), all_.begin() + static_cast<std::ptrdiff_t>(end));
    at_ = end;
    return !batch.empty();
  }

 private:
  const std::vector<hb_reading> all_;
  const std::size_t batch_;
  std::size_t at_ = 0;
};

Findings compare(const std::vector<hb_reading>& expected, const std::vector<hb_reading>& stored,
                 GapFinder::Rules rules = {}) {
  Readings wanted(expected), rows(stored);
  return GapFinder(std::move(rules)).compare(wanted, rows);
}

}  // namespace

TEST_CASE("what is the same is clean, also where there is nothing, and where many share a time") {
  CHECK(compare({}, {}).clean());
  // The generator's order is that of its numbers, a store's that of the bytes.
  const std::vector<hb_reading> expected = {reading("2", 5), reading("10", 5), reading("9", 5), reading("2", 6)};
  const Findings found = compare(expected, {reading("10", 5), reading("2", 5), reading("9", 5), reading("2", 6)});
  CHECK(found.clean());
  CHECK(found.expected == 4);
  CHECK(found.stored == 4);
}

TEST_CASE("a gap is one customer's readings in a row, whatever the others do meanwhile") {
  std::vector<hb_reading> expected, stored;
  for (std::int64_t time = 0; time < 10; ++time) {
    for (const char* customer : {"a", "b"}) expected.push_back(reading(customer, time));
  }
  for (const hb_reading& each : expected) {
    const bool a = each.customer_id[0] == 'a';
    const bool gone = a ? (each.time_us >= 2 && each.time_us <= 4) || each.time_us == 9 : each.time_us == 0;
    if (!gone) stored.push_back(each);
  }
  const Findings found = compare(expected, stored);
  CHECK(found.expected == 20);
  CHECK(found.missing == 5);
  CHECK(found.gaps == 3);
  REQUIRE(found.missing_spans.size() == 3);
  CHECK(found.missing_spans[0].customer == "b");
  CHECK(found.missing_spans[0].count == 1);
  CHECK(found.missing_spans[1].customer == "a");
  CHECK(found.missing_spans[1].from_us == 2);
  CHECK(found.missing_spans[1].to_us == 4);
  CHECK(found.missing_spans[1].count == 3);
  CHECK(found.missing_spans[2].from_us == 9);
}

TEST_CASE("doubles, other heart rates and rows of nowhere are told apart, and other people's rows are left alone") {
  GapFinder::Rules rules;
  rules.ours = [](std::string_view customer) { return customer != "x"; };
  const Findings found = compare({reading("a", 1, 60), reading("b", 1, 61), reading("a", 2, 62)},
                                 {reading("a", 1, 60), reading("a", 1, 60), reading("a", 1, 99), reading("b", 1, 62),
                                  reading("c", 1), reading("x", 1), reading("a", 3), reading("a", 3)},
                                 rules);
  CHECK(found.stored == 2);
  CHECK(found.missing == 1);
  CHECK(found.doubled == 1);
  CHECK(found.doubled_readings[0].times == 3);
  CHECK(found.changed == 2);
  CHECK(found.changed_readings[0].found == 99);
  CHECK(found.changed_readings[1].expected == 61);
  CHECK(found.changed_readings[1].found == 62);
  CHECK(found.foreign == 3);
  CHECK(found.foreign_readings[0].customer == "c");
  CHECK(found.foreign_readings[2].time_us == 3);
}

TEST_CASE("what is accounted for elsewhere is not missing, and what is stored all the same is stored") {
  GapFinder::Rules rules;
  rules.excused = [](const hb_reading& each) { return each.time_us < 3; };
  const Findings found = compare({reading("a", 1), reading("a", 2), reading("a", 3)}, {reading("a", 1)}, rules);
  CHECK(found.excused == 1);
  CHECK(found.expected == 2);
  CHECK(found.stored == 1);
  CHECK(found.missing == 1);
}

TEST_CASE("only so many are kept, and all are counted") {
  std::vector<hb_reading> expected, stored;
  for (std::int64_t time = 0; time < 100; time += 2) {
    expected.push_back(reading("a", time));
    expected.push_back(reading("b", time, 60));
    stored.push_back(reading("b", time, 61));
    stored.push_back(reading("b", time, 61));
    stored.push_back(reading("c", time));
  }
  GapFinder::Rules rules;
  rules.shown = 4;
  const Findings found = compare(expected, stored, rules);
  CHECK(found.missing == 50);
  CHECK(found.gaps == 1);
  CHECK(found.missing_spans[0].count == 50);
  CHECK(found.doubled == 50);
  CHECK(found.doubled_readings.size() == 4);
  CHECK(found.changed == 50);
  CHECK(found.changed_readings.size() == 4);
  CHECK(found.foreign == 50);
  CHECK(found.foreign_readings.size() == 4);
}

TEST_CASE("streams that are not in order are refused: their comparison would mean nothing") {
  CHECK_THROWS_WITH(compare({reading("a", 2), reading("a", 1)}, {}),
                    contains_text("that are expected are not in the order of time"));
  CHECK_THROWS_WITH(compare({}, {reading("a", 2), reading("a", 2), reading("a", 2), reading("a", 1)}),
                    contains_text("that are stored are not in the order of time"));
}

TEST_CASE("for any rows the counts are those of a plain comparison of sets") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<hb_reading> expected, stored;
    std::size_t missing = 0, foreign = 0, doubled = 0;
    for (std::int64_t time = 0; time < 20; ++time) {
      for (const char* customer : {"10", "2", "3"}) {
        const bool due = random() % 4 != 0;
        const auto rows = random() % 3;
        if (due) expected.push_back(reading(customer, time));
        for (unsigned i = 0; i < rows; ++i) stored.push_back(reading(customer, time));
        missing += due && rows == 0 ? 1 : 0;
        foreign += due ? 0 : rows;
        doubled += due && rows > 1 ? 1 : 0;
      }
    }
    const Findings found = compare(expected, stored);
    CHECK(found.missing == missing);
    CHECK(found.foreign == foreign);
    CHECK(found.doubled == doubled);
    CHECK(found.expected == expected.size());
  }
}

TEST_CASE("a queue holds its maker up, hands on what went wrong, and lets go when nobody wants more") {
  ReadingQueue queue;
  std::atomic<int> pushed{0};
  std::thread maker([&] {
    while (queue.push({reading("a", pushed)})) ++pushed;
  });
  std::vector<hb_reading> batch;
  for (std::int64_t i = 0; i < 1000; ++i) {
    REQUIRE(queue.next(batch));
    CHECK(batch[0].time_us == i);
    CHECK(pushed <= i + 20);
  }
  queue.close();
  maker.join();
  ReadingQueue broken;
  broken.push({reading("a", 1)});
  broken.finish("the wire was cut");
  CHECK_THROWS_WITH(broken.next(batch), contains_text("the wire was cut"));
  ReadingQueue empty;
  empty.finish("");
  CHECK_FALSE(empty.next(batch));
}
