// Where one sink stands in the journal: what it has in hand, where it reads on, and what it has left behind for later.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace hbagent {

// Positions count readings from the start of the journal; spans are half open.
struct PositionSpan {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - begin; }
  bool operator==(const PositionSpan&) const = default;
};

// Not thread-safe.
class SinkCursor {
 public:
  SinkCursor() = default;
  explicit SinkCursor(std::uint64_t at) : live_(at) {}
  // As it was stored: everything before `live` but the backlog, which is in order, is done. What was in hand then is
  // part of the backlog, and read in its turn: pieces that touch become one, and what touches `live` is no backlog.
  SinkCursor(std::uint64_t live, const std::vector<PositionSpan>& backlog);

  // How many readings the next take may find, and whether any of them wait behind live ones.
  std::uint64_t available(std::uint64_t appended) const {
    return backlog_.empty() ? appended - live_ : appended - live_ + backlog_.front().size();
  }
  bool has_backlog() const { return !backlog_.empty(); }

  // Takes the next readings in hand, at most `limit`: live ones first, but every kBacklogTurn-th time, and whenever
  // there are no live ones, the backlog.
  PositionSpan take(std::uint64_t limit, std::uint64_t appended);
  // What is in hand is done.
  void commit() { held_ = {live_, live_}; }
  PositionSpan held() const { return held_; }
  // What is in hand was not done after all: it is taken again first.
  void put_back();

  // Leaves all that waits behind as backlog and goes on with what comes next. Without effect once there are
  // kMaxBacklog pieces of it already.
  void skip_to(std::uint64_t appended);
  // Gives up what lies before `end` and is not in hand; returns how many readings that were.
  std::uint64_t drop_before(std::uint64_t end);

  // Everything before it is done.
  std::uint64_t done_to() const;
  std::uint64_t pending(std::uint64_t appended) const;
  std::uint64_t live() const { return live_; }
  const std::vector<PositionSpan>& backlog() const { return backlog_; }

  static constexpr std::size_t kMaxBacklog = 15;
  static constexpr unsigned kBacklogTurn = 8;

 private:
  std::uint64_t live_ = 0;
  std::vector<PositionSpan> backlog_;  // in order
  PositionSpan held_;
  unsigned turn_ = 0;
};

}  // namespace hbagent
