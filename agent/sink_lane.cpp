// How replayed letters reach the sink that refused them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "reading_json.hpp"
#include "replay_lane.hpp"

namespace hbagent {
namespace {

// Between two tries. Short: the sink's own backoff counts while it is away.
constexpr std::chrono::milliseconds kPause{200};

}  // namespace

void SinkLane::stop(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_.empty()) stopped_ = why;
  }
  stop_.request_stop();
}

void SinkLane::take(StoredLetter letter) {
  ReplayedLetter result;
  auto reading = reading_from_json(letter.payload);
  if (!reading) {
    result.left_why = fmt::format("its payload is no reading that can be taken back ({})", letter.reason);
  } else {
    reading->received_us = letter.received_us != 0 ? letter.received_us : letter.time_us;
    readings_.push_back(*reading);
  }
  result.letter = std::move(letter);
  taken_.push_back(std::move(result));
}

std::vector<ReplayedLetter> SinkLane::settle() {
  std::vector<ReplayedLetter> letters = std::exchange(taken_, {});
  std::vector<ReplayedLetter*> open;
  for (ReplayedLetter& letter : letters) {
    if (letter.left_why.empty()) open.push_back(&letter);
  }
  std::string why;
  while (!open.empty() && !stop_.stop_requested()) {
    const std::size_t count = std::min<std::size_t>(open.size(), sink_.instance().config().batch_size);
    const std::vector<hb_reading> part(readings_.begin(), readings_.begin() + static_cast<std::ptrdiff_t>(count));
    const auto answer = sink_.redelivery().ask(part, Redelivery::Clock::time_point::max(), stop_.get_token());
    if (!answer) break;
    const bool done = answer->status == HB_OK && take_verdicts(answer->verdicts, count, open);
    why = answer->error;
    if (answer->status == HB_FAILED || answer->status == HB_END) break;
    if (!done && sink_.instance().wait(kPause)) break;
  }
  for (ReplayedLetter* const letter : open) letter->left_why = why_left(why);
  readings_.clear();
  return letters;
}

// Those of the first `count` that are to be tried again stay open, in front of the rest. False: some do.
bool SinkLane::take_verdicts(const std::vector<Verdict>& verdicts, std::size_t count,
                             std::vector<ReplayedLetter*>& open) {
  std::vector<ReplayedLetter*> again;
  std::vector<hb_reading> again_readings;
  for (const Verdict& verdict : verdicts) {
    ReplayedLetter& letter = *open[verdict.index];
    if (verdict.kind == HB_VERDICT_RETRY) {
      again.push_back(&letter);
      again_readings.push_back(readings_[verdict.index]);
    } else if (verdict.kind == HB_VERDICT_REJECT) {
      letter.refusals.push_back({sink_.instance().component(), clean_reason(verdict.reason.c_str()), verdict.detail,
                                 letter.letter.payload, std::nullopt, letter.letter.received_us});
    }
  }
  const bool done = again.empty();
  const auto rest = static_cast<std::ptrdiff_t>(count);
  again.insert(again.end(), open.begin() + rest, open.end());
  again_readings.insert(again_readings.end(), readings_.begin() + rest, readings_.end());
  open = std::move(again);
  readings_ = std::move(again_readings);
  return done;
}

std::string SinkLane::why_left(const std::string& error) {
  const std::lock_guard lock(mutex_);
  const Instance::Status status = sink_.instance().status();
  const bool away = status.state == Instance::State::down || status.state == Instance::State::failed;
  const std::string& last = away && !status.last_error.empty() ? status.last_error : error;
  return fmt::format("{} does not take it: {}", sink_.instance().component(),
                     last.empty() ? (stopped_.empty() ? "no answer" : stopped_) : last);
}

}  // namespace hbagent
