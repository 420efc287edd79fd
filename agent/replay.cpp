#include "replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <system_error>
#include <thread>
#include <utility>

#include "reading_json.hpp"
#include "wall_clock.hpp"

namespace hbagent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLettersAtOnce = 1000;
constexpr std::size_t kPayloadAtOnce = 4 << 20;
// Files are written anew at each commit: rarely, and what a crash repeats is bounded.
constexpr std::chrono::seconds kCommitInterval{5};
constexpr std::size_t kChangesAtOnce = 50'000;
constexpr std::size_t kChangeBytes = 16 << 20;

std::size_t hash_of(const std::string& text) {
  return std::hash<std::string>()(text);
}

// The views are those of both arguments.
DeadLetter refused_letter(const StoredLetter& letter, const ReplayedLetter::Refusal& refusal) {
  DeadLetter refused{letter.source, refusal.instance, refusal.reason, refusal.detail, letter.origin, refusal.payload};
  if (refusal.key) refused.key = *refusal.key;
  refused.received_us = refusal.received_us;
  return refused;
}

}  // namespace

// Calls `expired` on a thread of its own when the time is over, or when the replay is stopped.
class Replay::Watch {
 public:
  explicit Watch(std::stop_token stop)
      : stop_(std::move(stop)), thread_([this](const std::stop_token& ending) { run(ending); }) {}

  void begin(std::function<void(const std::string&)> expired) {
    const std::lock_guard lock(mutex_);
    expired_ = std::move(expired);
    deadline_ = Clock::now() + kPatience;
    changed_.notify_all();
  }
  // When it returns, `expired` is not running and will not.
  void end() {
    const std::lock_guard lock(mutex_);
    expired_ = nullptr;
  }

 private:
  void run(const std::stop_token& ending) {
    const std::stop_callback wake(stop_, [this] {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    while (!ending.stop_requested()) {
      if (!expired_) {
        changed_.wait(lock, ending, [&] { return expired_ != nullptr; });
        continue;
      }
      const auto deadline = deadline_;  // a copy: the wait looks at it without the lock
      const bool changed = changed_.wait_until(lock, ending, deadline, [&] {
        return stop_.stop_requested() || expired_ == nullptr || deadline_ != deadline;
      });
      if (expired_ == nullptr || (changed && !stop_.stop_requested())) continue;
      if (ending.stop_requested()) return;
      expired_(stop_.stop_requested() ? "the replay was stopped"
                                      : fmt::format("it has not moved for {} s", kPatience.count()));
      expired_ = nullptr;
    }
  }

  const std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::function<void(const std::string&)> expired_;
  Clock::time_point deadline_;
  std::jthread thread_;
};

Replay::Replay(const ReplaySite& site, LetterSelection selection)
    : site_(site),
      selection_(std::move(selection)),
      last_id_(site.dead_letters.last_id()),
      watch_(std::make_unique<Watch>(stop_.get_token())),
      next_commit_(Clock::now() + kCommitInterval) {
  result_.unknown_ids = selection_.ids;
}

Replay::~Replay() = default;

template <class Update>
void Replay::tally(const Update& update) {
  const std::lock_guard lock(mutex_);
  update(result_);
}

ReplayResult Replay::result() const {
  const std::lock_guard lock(mutex_);
  return result_;
}

void Replay::stop(const std::string& why) {
  tally([&](ReplayResult& result) { result.error = why; });
  stop_.request_stop();
}

template <class Body>
void Replay::watched(ReplayLane& lane, const Body& body) {
  watch_->begin([&lane](const std::string& why) { lane.stop(why); });
  body();
  watch_->end();
}

void Replay::run() {
  try {
    see_all();
    for (const auto& [name, lane] : lanes_) settle(*lane);
    commit();
    if (!journaled_.empty()) {
      wait_for_sinks();
      count_new_refusals();
    }
  } catch (const std::exception& failure) {  // letters that are not out of the file yet are replayed once more
    tally([&](ReplayResult& result) { result.error = failure.what(); });
  }
  lanes_.clear();
}

void Replay::see_all() {
  DeadLetterReader reader = site_.dead_letters.read();
  std::map<ReplayLane*, std::size_t> bytes;
  for (StoredLetter letter; !stop_.stop_requested() && reader.next(letter);) {
    if (letter.id > last_id_) break;
    if (!selection_.wants(letter)) continue;
    tally([&](ReplayResult& result) {
      ++result.selected;
      result.unknown_ids.erase(letter.id);
    });
    std::string why;
    ReplayLane* const lane = lane_for(letter, why);
    if (lane == nullptr) {
      leave(letter.id, why);
      continue;
    }
    bytes[lane] += letter.payload.size();
    watched(*lane, [&] { lane->take(std::move(letter)); });
    if (lane->waiting() >= kLettersAtOnce || bytes[lane] >= kPayloadAtOnce) {
      settle(*lane);
      bytes[lane] = 0;
    }
    if (Clock::now() >= next_commit_ || changes_.size() >= kChangesAtOnce || change_bytes_ >= kChangeBytes) commit();
    letter = {};
  }
}

ReplayLane* Replay::lane_for(const StoredLetter& letter, std::string& why) {
  const Refuser refuser = refuser_of(letter);
  const bool by_sink = refuser.kind == "sink";
  if (letter.truncated) {
    why = "only the beginning of its payload was kept";
    return nullptr;
  }
  if (!by_sink && refuser.kind != "source" && refuser.kind != "processor") {
    why = fmt::format("it says that \"{}\" refused it, which is neither a source, a processor nor a sink",
                      letter.instance);
    return nullptr;
  }
  auto& lane = lanes_[by_sink ? letter.instance : "source/" + letter.source];
  if (lane != nullptr) return lane.get();
  if (!by_sink) {
    lane = std::make_unique<JournalLane>(site_, letter.source);
  } else if (SinkRunner* const sink = site_.sink(std::string(refuser.name))) {
    lane = std::make_unique<SinkLane>(*sink);
  } else {
    lanes_.erase(letter.instance);
    why = fmt::format("the configuration has no sink \"{}\", which refused it", refuser.name);
    return nullptr;
  }
  return lane.get();
}

void Replay::settle(ReplayLane& lane) {
  if (lane.waiting() == 0) return;
  std::vector<ReplayedLetter> letters;
  watched(lane, [&] { letters = lane.settle(); });
  for (ReplayedLetter& letter : letters) note(letter);
}

void Replay::note(ReplayedLetter& letter) {
  const std::uint64_t id = letter.letter.id;
  if (!letter.left_why.empty()) return leave(id, letter.left_why);
  for (const hb_reading& reading : letter.journaled) journaled_[hash_of(reading_as_json(reading))] = id;
  if (!letter.refusals.empty()) return note_refused(letter);
  changes_[id] = std::nullopt;
  tally([](ReplayResult& result) { ++result.replayed; });
}

// The first refusal takes the letter's place, further ones are letters of their own.
void Replay::note_refused(ReplayedLetter& letter) {
  DeadLetters& letters = site_.dead_letters;
  for (std::size_t i = 1; i < letter.refusals.size(); ++i) {
    std::string error;
    if (letters.append(refused_letter(letter.letter, letter.refusals[i]), error)) continue;
    return leave(letter.letter.id, error);
  }
  const ReplayedLetter::Refusal& first = letter.refusals.front();
  std::string line =
      letter_line(refused_letter(letter.letter, first), {letter.letter.id, letter.letter.time_us, wall_clock_us()},
                  letters.max_payload(), letters.max_line());
  change_bytes_ += line.size();
  changes_[letter.letter.id] = std::move(line);
  tally([&](ReplayResult& result) {
    ++result.refused;
    for (const auto& each : letter.refusals) add(result.refused_by, each.reason + " by " + each.instance, 1);
  });
}

void Replay::leave(std::uint64_t id, const std::string& why) {
  tally([&](ReplayResult& result) {
    ++result.left;
    ReplayResult::Left& left = result.left_why[why];
    if (left.count++ == 0) left.first_id = id;
  });
}

void Replay::commit() {
  next_commit_ = Clock::now() + kCommitInterval;
  if (changes_.empty()) return;
  std::string error;
  if (!site_.dead_letters.sync())
    throw std::system_error(EIO, std::generic_category(), "the dead letters cannot be synced");
  if (!site_.dead_letters.change(changes_, error)) throw std::system_error(EIO, std::generic_category(), error);
  changes_.clear();
  change_bytes_ = 0;
}

void Replay::wait_for_sinks() {
  struct Progress {
    std::uint64_t done = 0;
    Clock::time_point since = Clock::now();
  };
  std::vector<Progress> progress(site_.journal.snapshot().sinks.size());
  constexpr std::chrono::milliseconds kLook{200};
  const std::uint64_t end = site_.journal.end();
  while (!site_.journal.wait_done(end, Clock::now() + kLook)) {
    const auto sinks = site_.journal.snapshot().sinks;
    bool stuck = stop_.stop_requested();
    for (std::size_t i = 0; i < progress.size(); ++i) {
      if (sinks[i].done() != progress[i].done || sinks[i].pending == 0) progress[i] = {sinks[i].done(), Clock::now()};
      stuck = stuck || Clock::now() - progress[i].since > kPatience;
    }
    if (!stuck) continue;
    tally([](ReplayResult& result) { result.undelivered = true; });
    return;
  }
}

// What came through the journal may have been refused by a sink since: then it is a letter again.
void Replay::count_new_refusals() {
  if (site_.dead_letters.last_id() == last_id_) return;
  DeadLetterReader reader = site_.dead_letters.read();
  std::set<std::uint64_t> counted;
  for (StoredLetter letter; reader.next(letter);) {
    if (letter.id <= last_id_ || refuser_of(letter).kind != "sink") continue;
    const auto found = journaled_.find(hash_of(letter.payload));
    if (found == journaled_.end()) continue;
    const bool first = counted.insert(found->second).second;
    tally([&](ReplayResult& result) {
      add(result.refused_by, letter.reason + " by " + letter.instance, 1);
      if (!first || result.replayed == 0) return;
      --result.replayed;
      ++result.refused;
    });
  }
}

}  // namespace hbagent
