#include "journal/sink_cursor.hpp"

#include <algorithm>

namespace hbagent {

SinkCursor::SinkCursor(std::uint64_t live, const std::vector<PositionSpan>& backlog) : live_(live) {
  for (const PositionSpan& span : backlog) {
    if (!backlog_.empty() && backlog_.back().end == span.begin) {
      backlog_.back().end = span.end;
    } else {
      backlog_.push_back(span);
    }
  }
  if (backlog_.empty() || backlog_.back().end != live_) return;
  live_ = backlog_.back().begin;
  backlog_.pop_back();
}

PositionSpan SinkCursor::take(std::uint64_t limit, std::uint64_t appended) {
  const bool live_there = appended > live_;
  if (!backlog_.empty() && (!live_there || ++turn_ % kBacklogTurn == 0)) {
    PositionSpan& oldest = backlog_.front();
    held_ = {oldest.begin, std::min(oldest.end, oldest.begin + limit)};
    oldest.begin = held_.end;
    if (oldest.size() == 0) backlog_.erase(backlog_.begin());
  } else {
    held_ = {live_, std::min(appended, live_ + limit)};
    live_ = held_.end;
  }
  return held_;
}

void SinkCursor::put_back() {
  if (held_.size() == 0) return;
  if (held_.end == live_) {
    live_ = held_.begin;
  } else if (!backlog_.empty() && backlog_.front().begin == held_.end) {
    backlog_.front().begin = held_.begin;
  } else {
    backlog_.insert(std::upper_bound(backlog_.begin(), backlog_.end(), held_,
                                     [](const auto& a, const auto& b) { return a.begin < b.begin; }),
                    held_);
  }
  held_ = {live_, live_};
}

void SinkCursor::skip_to(std::uint64_t appended) {
  if (appended == live_ || backlog_.size() >= kMaxBacklog) return;
  if (!backlog_.empty() && backlog_.back().end == live_) {
    backlog_.back().end = appended;
  } else {
    backlog_.push_back({live_, appended});
  }
  live_ = appended;
}

std::uint64_t SinkCursor::drop_before(std::uint64_t end) {
  std::uint64_t dropped = 0;
  while (!backlog_.empty() && backlog_.front().begin < end) {
    PositionSpan& oldest = backlog_.front();
    const std::uint64_t to = std::min(oldest.end, end);
    dropped += to - oldest.begin;
    oldest.begin = to;
    if (oldest.size() == 0) backlog_.erase(backlog_.begin());
  }
  if (live_ < end) {
    dropped += end - live_;
    live_ = end;
  }
  return dropped;
}

std::uint64_t SinkCursor::done_to() const {
  std::uint64_t done = live_;
  if (!backlog_.empty()) done = std::min(done, backlog_.front().begin);
  if (held_.size() > 0) done = std::min(done, held_.begin);
  return done;
}

std::uint64_t SinkCursor::pending(std::uint64_t appended) const {
  std::uint64_t readings = held_.size() + appended - live_;
  for (const PositionSpan& span : backlog_) readings += span.size();
  return readings;
}

}  // namespace hbagent
