#include "offset_tracker.hpp"

#include <map>
#include <random>
#include <set>
#include <tuple>

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
