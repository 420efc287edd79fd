#include "offset_tracker.hpp"

#include <algorithm>

namespace hb::kafka {

OffsetTracker::Id OffsetTracker::assign(const Partition& partition, std::int64_t start) {
  revoke(partition);
  const Id id = ++last_id_;
  ids_.emplace(partition, id);
  states_.emplace(id, State{partition, start, start});
  return id;
}

std::optional<OffsetTracker::Id> OffsetTracker::find(const Partition& partition) const {
  const auto found = ids_.find(partition);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

void OffsetTracker::revoke(const Partition& partition) {
  const auto found = ids_.find(partition);
  if (found == ids_.end()) return;
  states_.erase(found->second);
  ids_.erase(found);
}

void OffsetTracker::clear() {
  states_.clear();
  ids_.clear();
  pending_.clear();
}

void OffsetTracker::emitted(std::uint64_t token, std::vector<Position> positions) {
  pending_.push_back({token, std::move(positions)});
}

void OffsetTracker::acked(std::uint64_t token) {
  while (!pending_.empty() && pending_.front().token <= token) {
    for (const Position& position : pending_.front().positions) {
      const auto found = states_.find(position.id);
      if (found != states_.end()) found->second.safe = std::max(found->second.safe, position.next);
    }
    pending_.pop_front();
  }
}

bool OffsetTracker::is_pending(Id id) const {
  return std::any_of(pending_.begin(), pending_.end(), [id](const Batch& batch) {
    return std::any_of(batch.positions.begin(), batch.positions.end(),
                       [id](const Position& position) { return position.id == id; });
  });
}

std::vector<CommitPoint> OffsetTracker::uncommitted() const {
  std::vector<CommitPoint> points;
  for (const auto& [id, state] : states_) {
    if (state.safe > state.committed) points.push_back({state.partition, state.safe});
  }
  return points;
}

void OffsetTracker::committing(const std::vector<CommitPoint>& points) {
  for (const CommitPoint& point : points) {
    const auto found = ids_.find(point.partition);
    if (found != ids_.end()) states_[found->second].committed = point.offset;
  }
}

void OffsetTracker::commit_failed(const Partition& partition) {
  const auto found = ids_.find(partition);
  if (found != ids_.end()) states_[found->second].committed = kUnknown;
}

}  // namespace hb::kafka
