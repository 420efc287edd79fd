// Dead letters once more: through the pipeline again, and out of their file what has found its place.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "replay_lane.hpp"

namespace hbagent {

struct ReplayResult {
  std::uint64_t selected = 0;
  std::uint64_t replayed = 0;  // left their file: journaled and safe, delivered, or found to hold no reading
  std::uint64_t refused = 0;   // again; letters with the new reason now
  std::uint64_t left = 0;      // could not be replayed, and are as they were
  CountByReason refused_by;    // "check_violation by sink/postgres"
  struct Left {
    std::uint64_t count = 0;
    std::uint64_t first_id = 0;
  };
  std::map<std::string, Left> left_why;
  std::set<std::uint64_t> unknown_ids;
  bool undelivered = false;  // some of what was journaled has not reached every sink yet
  std::string error;         // why it ended early; empty: it has seen every letter
};

// One replay. What a source or a processor refused goes through the processors that it has not passed, and into the
// journal for every sink; what a sink refused goes to that sink alone, so that no other one gets it twice.
//
// A letter leaves the file only when its readings are safe. When the process dies in between, it is replayed once more,
// and nothing is lost.
class Replay {
 public:
  Replay(const ReplaySite& site, LetterSelection selection);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // To the end; once. [one thread]
  void run();
  // Makes it end soon. [any thread]
  void stop(const std::string& why);
  ReplayResult result() const;  // so far [any thread]

  // A way that does not move for so long is given up.
  static constexpr std::chrono::seconds kPatience{30};

 private:
  class Watch;

  void see_all();
  ReplayLane* lane_for(const StoredLetter& letter, std::string& why);
  template <class Body>
  void watched(ReplayLane& lane, const Body& body);
  void settle(ReplayLane& lane);
  void note(ReplayedLetter& letter);
  void note_refused(ReplayedLetter& letter);
  void leave(std::uint64_t id, const std::string& why);
  void commit();
  void wait_for_sinks();
  void count_new_refusals();
  template <class Update>
  void tally(const Update& update);

  const ReplaySite site_;
  const LetterSelection selection_;
  const std::uint64_t last_id_;  // letters that come later are none of this replay
  std::map<std::string, std::unique_ptr<ReplayLane>> lanes_;
  std::stop_source stop_;
  std::unique_ptr<Watch> watch_;

  DeadLetters::Changes changes_;
  std::size_t change_bytes_ = 0;
  std::chrono::steady_clock::time_point next_commit_;
  std::unordered_map<std::size_t, std::uint64_t> journaled_;  // hash of a reading's text, and its letter

  mutable std::mutex mutex_;
  ReplayResult result_;
};

}  // namespace hbagent
