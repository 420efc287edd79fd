// Which offsets may be committed: only those below which every record is safe with the agent.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hb::kafka {

struct Partition {
  std::string topic;
  std::int32_t number = 0;
  auto operator<=>(const Partition&) const = default;  // NOLINT(modernize-use-nullptr): the 0 is the compiler's own
};

// The offset that a restarted consumer begins at.
struct CommitPoint {
  Partition partition;
  std::int64_t offset = 0;
  bool operator==(const CommitPoint&) const = default;
};

// Follows each assigned partition from the records handed to the agent (`emitted`) over the agent's cumulative
// acknowledgement (`acked`) to the commit. A partition that comes back after it was taken away is a new assignment:
// what was emitted under the old one no longer moves it. One thread at a time.
class OffsetTracker {
 public:
  // Names one assignment of one partition; never used again.
  using Id = std::uint64_t;
  static constexpr std::int64_t kUnknown = -1;

  struct Position {
    Id id = 0;
    std::int64_t next = 0;  // behind the last record
    bool operator==(const Position&) const = default;
  };
  struct State {
    Partition partition;
    std::int64_t safe = kUnknown;       // every record below is safe
    std::int64_t committed = kUnknown;  // asked to be committed, and not known to have failed
  };

  // `start` is the committed offset, where known.
  Id assign(const Partition& partition, std::int64_t start);
  // Nothing for a partition that is not assigned.
  std::optional<Id> find(const Partition& partition) const;
  // Forgets the assignment and all that is pending for it.
  void revoke(const Partition& partition);
  void clear();

  // A batch was handed over. REQUIRES: tokens grow.
  void emitted(std::uint64_t token, std::vector<Position> positions);
  // Everything up to this token is safe.
  void acked(std::uint64_t token);
  // Whether something handed over for this assignment is not safe yet.
  bool is_pending(Id id) const;
  bool has_pending() const { return !pending_.empty(); }

  // The assignments whose safe offset is not committed.
  std::vector<CommitPoint> uncommitted() const;
  // `points` are being committed ...
  void committing(const std::vector<CommitPoint>& points);
  // ... and this one was not: it is due again.
  void commit_failed(const Partition& partition);

  const std::map<Id, State>& assignments() const { return states_; }

 private:
  struct Batch {
    std::uint64_t token;
    std::vector<Position> positions;
  };
  std::map<Id, State> states_;
  std::map<Partition, Id> ids_;
  std::deque<Batch> pending_;  // by token
  Id last_id_ = 0;
};

}  // namespace hb::kafka
