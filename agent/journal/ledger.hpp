// The ledger: where every reading went. For each source
//   received + added = journaled + discarded + dead_lettered + removed
// and for each sink
//   journaled = delivered + filtered + rejected + dropped + pending
// where journaled is what all sources together have journaled since the sink's place in the journal at the start:
//   journaled of the sink = lay_before + journaled of all sources - began_at
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace hbagent {

using CountByReason = std::map<std::string, std::uint64_t>;

inline std::uint64_t total(const CountByReason& counts) {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : counts) sum += count;
  return sum;
}
// Reasons are few and fixed; a plugin that makes up new ones without end finds them under "other".
inline constexpr std::size_t kMaxReasons = 64;
inline void add(CountByReason& to, const std::string& reason, std::uint64_t count) {
  to[to.size() < kMaxReasons || to.contains(reason) ? reason : "other"] += count;
}
inline void add(CountByReason& to, const CountByReason& more) {
  if (more.empty()) return;  // as with nearly every batch
  for (const auto& [reason, count] : more) add(to, reason, count);
}

struct SourceTerms {
  std::uint64_t received = 0;  // inputs: readings emitted, dead letters and discards
  std::uint64_t added = 0;     // readings that processors made
  std::uint64_t journaled = 0;
  CountByReason discarded;          // no reading at all
  CountByReason dead_lettered;      // malformed or unstorable; by the source or a processor
  CountByReason removed;            // by processors
  std::uint64_t refused_again = 0;  // of dead_lettered: by a replay, whose letter was there already

  std::uint64_t accounted() const { return journaled + total(discarded) + total(dead_lettered) + total(removed); }
  bool balanced() const { return received + added == accounted(); }
  SourceTerms& operator+=(const SourceTerms& more) {
    received += more.received;
    added += more.added;
    journaled += more.journaled;
    add(discarded, more.discarded);
    add(dead_lettered, more.dead_lettered);
    add(removed, more.removed);
    refused_again += more.refused_again;
    return *this;
  }
};

struct SinkTerms {
  std::uint64_t journaled = 0;  // what lay before it at the start, and all that came since
  std::uint64_t delivered = 0;  // includes duplicate
  std::uint64_t duplicate = 0;  // stored before, nothing changed
  std::uint64_t filtered = 0;   // not asked for by `from` and `where`
  std::uint64_t dropped = 0;    // by when_full = "drop_oldest", or damaged on disk
  CountByReason rejected;       // to the dead letters
  std::uint64_t pending = 0;    // in the journal, not yet done
  // Where the sink began: what waited for it then, and what all sources had journaled until then.
  std::uint64_t lay_before = 0;
  std::uint64_t began_at = 0;

  std::uint64_t done() const { return delivered + filtered + dropped + total(rejected); }
  bool balanced() const { return journaled == done() + pending; }
  SinkTerms& operator+=(const SinkTerms& more) {
    delivered += more.delivered;
    duplicate += more.duplicate;
    filtered += more.filtered;
    dropped += more.dropped;
    add(rejected, more.rejected);
    return *this;
  }
};

}  // namespace hbagent
