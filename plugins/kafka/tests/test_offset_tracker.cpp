#include "offset_tracker.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using hb::kafka::CommitPoint;
using hb::kafka::OffsetTracker;
using hb::kafka::Partition;

namespace {

using Points = std::vector<CommitPoint>;

// The slow and obvious way: every record of the present assignments, with what happened to it.
class Reference {
 public:
  void assign(const Partition& partition, std::int64_t start) { assigned_[partition] = {start, {}}; }
  void revoke(const Partition& partition) { assigned_.erase(partition); }
  void emitted(const Partition& partition, std::int64_t offset, std::uint64_t token) {
    assigned_.at(partition).tokens[offset] = token;
  }
  // Behind the records, in their order, that are all safe.
  std::int64_t safe(const Partition& partition, std::uint64_t acked) const {
    const Assignment& assignment = assigned_.at(partition);
    std::int64_t next = assignment.start;
    for (const auto& [offset, token] : assignment.tokens) {
      if (token > acked) break;
      next = offset + 1;
    }
    return next;
  }
  bool is_assigned(const Partition& partition) const { return assigned_.contains(partition); }

 private:
  struct Assignment {
    std::int64_t start;
    std::map<std::int64_t, std::uint64_t> tokens;
  };
  std::map<Partition, Assignment> assigned_;
};

}  // namespace

TEST_CASE("an offset is due for commit only when its batch and all before it are acknowledged") {
  OffsetTracker tracker;
  const auto a = tracker.assign({"t", 0}, 10);
  const auto b = tracker.assign({"t", 1}, OffsetTracker::kUnknown);
  CHECK(tracker.uncommitted().empty());
  tracker.emitted(1, {{a, 20}});
  tracker.emitted(2, {{a, 25}, {b, 3}});
  CHECK(tracker.uncommitted().empty());
  tracker.acked(1);
  CHECK(tracker.uncommitted() == Points{{{"t", 0}, 20}});
  CHECK(tracker.is_pending(a));
  tracker.acked(2);
  CHECK(tracker.uncommitted() == Points{{{"t", 0}, 25}, {{"t", 1}, 3}});
  CHECK_FALSE(tracker.has_pending());
}

TEST_CASE("a commit is asked for once, and again when it failed") {
  OffsetTracker tracker;
  const auto a = tracker.assign({"t", 0}, 0);
  tracker.emitted(1, {{a, 5}});
  tracker.acked(1);
  tracker.committing(tracker.uncommitted());
  CHECK(tracker.uncommitted().empty());
  tracker.commit_failed({"t", 0});
  CHECK(tracker.uncommitted() == Points{{{"t", 0}, 5}});
}

TEST_CASE("what was emitted under an earlier assignment moves no later one") {
  OffsetTracker tracker;
  const auto old = tracker.assign({"t", 0}, 0);
  tracker.emitted(1, {{old, 100}});
  tracker.revoke({"t", 0});
  CHECK_FALSE(tracker.find({"t", 0}).has_value());
  tracker.acked(1);
  CHECK(tracker.uncommitted().empty());
  const auto young = tracker.assign({"t", 0}, 40);
  tracker.emitted(2, {{old, 120}});
  tracker.emitted(3, {{young, 50}});
  CHECK(tracker.is_pending(young));
  tracker.acked(2);
  CHECK(tracker.uncommitted().empty());
  tracker.acked(3);
  CHECK(tracker.uncommitted() == Points{{{"t", 0}, 50}});
}

TEST_CASE("random emits, acknowledgements, rebalances and failed commits agree with a slow reference") {
  const auto seed = GENERATE(range(1u, 41u));
  std::mt19937 random(seed);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  OffsetTracker tracker;
  Reference reference;
  std::map<Partition, std::int64_t> next;       // where the partition's log is read
  std::map<Partition, std::int64_t> committed;  // as the broker knows it
  std::uint64_t token = 0;
  std::uint64_t acked = 0;
  int checked = 0;
  for (int step = 0; step < 3000; ++step) {
    const Partition partition{pick(0, 1) == 0 ? "a" : "b", pick(0, 2)};
    const bool assigned = reference.is_assigned(partition);
    REQUIRE(tracker.find(partition).has_value() == assigned);
    switch (pick(0, 9)) {
      case 0:
        if (assigned) break;
        next[partition] = committed[partition];
        tracker.assign(partition, committed[partition]);
        reference.assign(partition, committed[partition]);
        break;
      case 1:
        if (pick(0, 3) != 0) break;
        tracker.revoke(partition);
        reference.revoke(partition);
        break;
      case 2:
      case 3:
      case 4: {  // a batch over some of the partitions, with gaps as compaction leaves them
        ++token;
        std::vector<OffsetTracker::Position> positions;
        for (auto& [other, at] : next) {
          if (!reference.is_assigned(other) || pick(0, 1) == 0) continue;
          for (int records = pick(1, 5); records > 0; --records) {
            at += pick(1, 3);
            reference.emitted(other, at - 1, token);
          }
          positions.push_back({*tracker.find(other), at});
        }
        tracker.emitted(token, positions);
        break;
      }
      case 5:
      case 6:
        acked += static_cast<std::uint64_t>(pick(0, static_cast<int>(token - acked)));
        tracker.acked(acked);
        break;
      case 7:
        if (assigned) tracker.commit_failed(partition);
        break;
      default: {
        const auto points = tracker.uncommitted();
        tracker.committing(points);
        for (const auto& point : points) {
          INFO("seed " << seed << " step " << step << ' ' << point.partition.topic << point.partition.number);
          REQUIRE(point.offset == reference.safe(point.partition, acked));
          committed[point.partition] = point.offset;
          ++checked;
        }
        for (const auto& [other, offset] : committed) {
          if (reference.is_assigned(other)) REQUIRE(offset == reference.safe(other, acked));
        }
      }
    }
  }
  CHECK(checked > 100);
}

namespace {

// A source and its broker around a tracker, with a log of records for each partition. Whatever is committed, every
// record below it must have reached the agent with a token that is acknowledged.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (int i = 0; i < 4; ++i) {
      Log& log = logs_[{i < 2 ? "a" : "b", i % 2}];
      for (std::int64_t offset = pick(0, 3); log.records.size() < 400; offset += pick(1, 3)) {
        log.records.push_back({offset});  // with gaps as compaction leaves them
      }
    }
  }

  void step() {
    auto& [partition, log] = *std::next(logs_.begin(), pick(0, 3));
    switch (pick(0, 11)) {
      case 0:
        return assign(partition, log);
      case 1:
        if (pick(0, 2) == 0) tracker_.revoke(partition);
        return;
      case 2:
      case 3:
      case 4:
        return decode(partition, log);
      case 5:
      case 6:
        return hand_over();
      case 7:
        acked_ += static_cast<std::uint64_t>(pick(0, static_cast<int>(token_ - acked_)));
        return;
      case 8:  // what the source sees of it, which may be what it saw before
        return tracker_.acked(pick(0, 3) == 0 ? acked_ / 2 : acked_);
      case 9:
        return commit();
      case 10:
        return answer();
      default:
        if (pick(0, 20) == 0) fail();
    }
  }

  // Nothing more happens to the group: now everything gets through.
  void finish() {
    while (!answers_.empty()) answer();
    for (int round = 0; round < 400; ++round) {
      for (auto& [partition, log] : logs_) {
        assign(partition, log);
        decode(partition, log);
      }
      hand_over();
    }
    tracker_.acked(acked_ = token_);
    commit();
    while (!answers_.empty()) answer(true);
    for (const auto& [partition, log] : logs_) REQUIRE(log.committed == log.records.back().offset + 1);
  }

 private:
  struct Entry {
    std::int64_t offset;
    std::uint64_t token = ~std::uint64_t{0};  // the first that the agent has it under
  };
  struct Log {
    std::vector<Entry> records;
    std::size_t next = 0;        // to be read
    std::int64_t committed = 0;  // as the broker knows it
  };
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  void assign(const Partition& partition, Log& log) {
    if (tracker_.find(partition)) return;
    tracker_.assign(partition, pick(0, 1) == 0 ? log.committed : OffsetTracker::kUnknown);
    log.next = 0;
    while (log.next < log.records.size() && log.records[log.next].offset < log.committed) ++log.next;
  }
  void decode(const Partition& partition, Log& log) {
    const auto id = tracker_.find(partition);
    if (!id) return;
    for (int count = pick(1, 5); count > 0 && log.next < log.records.size(); --count) {
      Entry& record = log.records[log.next++];
      held_.push_back(&record);
      std::erase_if(positions_, [&](const auto& position) { return position.id == *id; });
      positions_.push_back({*id, record.offset + 1});
    }
  }
  void hand_over() {
    tracker_.emitted(++token_, std::exchange(positions_, {}));
    for (Entry* record : std::exchange(held_, {})) record->token = std::min(record->token, token_);
  }
  // The batch at hand does not reach the agent: the source closes and opens again.
  void fail() {
    tracker_.emitted(++token_, std::exchange(positions_, {}));
    held_.clear();
    tracker_.clear();
  }
  void commit() {
    const auto points = tracker_.uncommitted();
    tracker_.committing(points);
    for (const CommitPoint& point : points) {
      for (const Entry& record : logs_.at(point.partition).records) {
        if (record.offset < point.offset) REQUIRE(record.token <= acked_);
      }
      answers_.push_back(point);
    }
  }
  // The oldest commit on its way arrives or fails, perhaps long after its partition has gone and come back.
  void answer(bool arrives = false) {
    if (answers_.empty()) return;
    const CommitPoint point = answers_.front();
    answers_.pop_front();
    if (arrives || pick(0, 3) != 0) {
      logs_.at(point.partition).committed = point.offset;
    } else {
      tracker_.commit_failed(point.partition);
    }
  }

  std::mt19937 random_;
  OffsetTracker tracker_;
  std::map<Partition, Log> logs_;
  std::vector<OffsetTracker::Position> positions_;  // of the batch at hand, and its records
  std::vector<Entry*> held_;
  std::deque<CommitPoint> answers_;
  std::uint64_t token_ = 0;
  std::uint64_t acked_ = 0;
};

}  // namespace

TEST_CASE("no commit passes a record that is not safe, whatever comes between taking it and its acknowledgement") {
  const auto seed = GENERATE(range(1u, 41u));
  INFO("seed " << seed);
  World world(seed);
  for (int step = 0; step < 1500; ++step) world.step();
  world.finish();
}
