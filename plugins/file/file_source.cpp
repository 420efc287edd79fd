#include "file_source.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "decoders.hpp"
#include "origin.hpp"

namespace hb::file {
namespace {

using namespace std::chrono_literals;

// Readings an emit: enough to make the call cheap, and 128 KiB that stay in the cache.
constexpr std::size_t kBatch = 2048;
// Lines after which the position moves on even where none of them held a reading.
constexpr std::uint64_t kMaxLinesPerEmit = 16UL * 1024;
constexpr auto kLongestWait = 1000ms;
// How long a stream is waited for before looking whether the agent stops.
constexpr auto kStreamWait = 100ms;

double speed_of(const std::string& text) {
  const auto speed = parse_speed(text);
  if (!speed) throw Failed("speed = \"" + text + "\": must be \"max\", \"realtime\" or a factor such as \"60\"");
  return *speed;
}

PathTemplate template_of(const std::string& text) {
  try {
    return PathTemplate(text);
  } catch (const std::exception& wrong) {
    throw Failed(wrong.what());
  }
}

}  // namespace

FileSource::FileSource(const Config& config, Host host)
    : config_(config),
      host_(host),
      template_(template_of(config.path)),
      speed_(speed_of(config.speed)),
      tracker_(host, config.resume && !template_.is_stdin()),
      receive_clock_(host) {
  if (const std::string obstacle = template_.obstacle(); !obstacle.empty()) throw Failed(obstacle);
  check_decoding(config_, template_);
  batch_.reserve(kBatch + 64);
}

void FileSource::open() {
  tracker_.load();
  looked_at_.reset();
  find_files();
}

void FileSource::close() {
  tracker_.commit(true);
}

void FileSource::run() {
  stopped_ = false;
  Ticker ticker(PositionTracker::kSaveInterval, [this] { tracker_.commit(false); });
  try {
    while (!stopped_ && !host_.stopping()) {
      ticker.check();
      const bool moved = read_all();
      if (!moved && !flush()) break;
      tracker_.commit(false);
      if (moved) continue;
      if (inputs_.empty() && queued_.empty() && !config_.follow) break;
      wait();
    }
  } catch (const std::exception&) {
    flush();  // what was taken before the failure is good, and need not come again
    throw;
  }
  if (!stopped_ && !host_.stopping() && !blocked_.empty()) {
    throw Retry("could not read " + blocked_.begin()->first + ": " + blocked_.begin()->second);
  }
}

// One turn over every input. False: none had anything to give.
bool FileSource::read_all() {
  find_files();
  wake_.reset();
  bool moved = false;
  for (std::size_t i = 0; i < inputs_.size() && !stopped_;) {
    Input& input = *inputs_[i];
    bool done = false;
    try {
      moved = step(input) || moved;
      done = finished(input);
    } catch (const BadFile& bad) {
      if (!flush()) break;
      block(input.path(), bad.what());
      drop(input);
      continue;
    }
    if (!done) {
      ++i;
      continue;
    }
    if (!flush()) break;
    retire(i);
    moved = true;
  }
  return moved;
}

// Takes what is in memory, then reads once. False: there was nothing new.
bool FileSource::step(Input& input) {
  const bool moved = take_lines(input);
  if (stopped_ || input.waits()) return moved;
  if (input.at_end) {
    bool restarted = false;
    if (input.is_stream() || !input.grew(restarted)) return moved;
    if (restarted) host_.warn(input.path() + " was cut or written anew: reading it from its beginning");
    input.at_end = false;
    if (input.orphaned_at) input.orphaned_at = Pacer::Clock::now();
  }
  const std::size_t count = fill(input);
  if (count == 0) return at_end(input) || moved;
  receive_clock_.tick();
  take_lines(input);
  return true;
}

std::size_t FileSource::fill(Input& input) {
  try {
    return input.fill();
  } catch (const std::system_error& failure) {
    const std::string text = "cannot read " + input.path() + ": " + failure.what();
    flush();
    drop(input);
    throw Retry(text);
  }
}

// Nothing more for now: a file that grows keeps its unfinished last line, any other ends with it.
bool FileSource::at_end(Input& input) {
  if (input.is_stream() && !input.ended()) return false;
  const bool goes_on = config_.follow && !template_.is_stdin();
  if (goes_on && input.is_stream()) return false;  // a FIFO: another writer may come
  input.at_end = true;
  if (goes_on) {
    input.rest_idle();
    return false;
  }
  return take_rest(input);
}

bool FileSource::take_rest(Input& input) {
  Line line;
  if (!input.rest(line)) return false;
  take(input, line);
  take_lines(input);
  return true;
}

// False: nothing was taken.
bool FileSource::take_lines(Input& input) {
  bool moved = false;
  Line line;
  while (!stopped_) {
    if (!release_due(input)) return moved;
    if (batch_.size() >= kBatch || lines_taken_ >= kMaxLinesPerEmit) {
      if (!flush()) return moved;
    }
    if (!input.next(line)) return moved;
    take(input, line);
    moved = true;
  }
  return moved;
}

void FileSource::take(Input& input, const Line& line) {
  auto& readings = input.pacer().at_once() ? batch_ : input.due_later;
  const std::size_t before = readings.size();
  problems_.clear();
  try {
    if (line.too_long) {
      problems_.push_back({{codec::Reason::too_large, "the line is longer than max_line"}, line.text});
    } else if (!is_blank(line.text)) {
      input.decoder().decode(line.text, receive_clock_.next(), readings, problems_);
      if (readings.size() > before) receive_clock_.used_up_to(readings.back().received_us);
    }
    report_all(input, line);
  } catch (...) {
    readings.resize(before);
    input.unread(line);
    input.at_end = false;  // not while this line is to be taken
    throw;
  }
  ++lines_taken_;
  if (!input.due_later.empty()) {
    input.held = line;
    return;
  }
  input.took(line);
  touch(input);
}

// After a dead letter that could not be kept the line is decoded again: what was reported of it is passed over.
void FileSource::report_all(Input& input, const Line& line) {
  if (std::exchange(input.reported_end, line.end) != line.end) input.reported = 0;
  for (; input.reported < problems_.size(); ++input.reported) report(input, line, problems_[input.reported]);
  input.reported = 0;
}

void FileSource::report(const Input& input, const Line& line, const Problem& problem) {
  const char* const reason = codec::text(problem.outcome.reason);
  if (codec::is_no_reading(problem.outcome.reason)) return count_discard(reason);
  const std::string origin = Origin{input.path(), line.number, problem.element}.text();
  DeadLetter letter{reason, problem.outcome.detail, origin, problem.bytes};
  if (!problem.context_id.empty()) letter.key = problem.context_id;
  if (line.too_long) letter.original_size = line.end - line.begin;
  host_.dead_letter(letter);
}

// Moves the readings of the held line whose time has come to the batch. False: one is still to wait.
bool FileSource::release_due(Input& input) {
  if (input.due_later.empty()) return true;
  const auto now = Pacer::Clock::now();
  receive_clock_.tick();
  while (input.due_next < input.due_later.size()) {
    Reading& reading = input.due_later[input.due_next];
    const auto due = input.pacer().due(reading.time_us, now);
    if (due > now) {
      wake_ = wake_ ? std::min(*wake_, due) : due;
      return false;
    }
    reading.received_us = receive_clock_.next();
    batch_.push_back(reading);
    ++input.due_next;
  }
  input.due_later.clear();
  input.due_next = 0;
  input.took(input.held);
  touch(input);
  return true;
}

// Whether the input is done with for good. A file that was moved away or deleted is read on for rotate_wait, for its
// writer may not have noticed yet; then its last line counts even without an end.
bool FileSource::finished(Input& input) {
  if (!input.at_end || input.waits()) return false;
  if (!config_.follow || template_.is_stdin()) return true;
  if (!input.orphaned_at || Pacer::Clock::now() - *input.orphaned_at < config_.rotate_wait) return false;
  bool restarted = false;
  if (input.grew(restarted)) {
    input.at_end = false;
    return false;
  }
  // Whole lines first: the writer may have ended its last one in this very moment.
  receive_clock_.tick();
  while (!stopped_ && !input.waits() && fill(input) > 0) take_lines(input);
  if (!stopped_ && !input.waits()) take_rest(input);
  return !stopped_ && !input.waits();
}

void FileSource::retire(std::size_t position) {
  Input& input = *inputs_[position];
  if (!input.is_stream()) {
    // Under its old name nobody shall look for it again.
    if (input.orphaned_at) tracker_.renamed(input.index, {});
    tracker_.leave(input.index);
  }
  inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(position));
}

void FileSource::touch(Input& input) {
  if (input.touched) return;
  input.touched = true;
  touched_.push_back(&input);
}

// Hands the batch over and notes how far it reaches. False: the agent stops and took nothing.
bool FileSource::flush() {
  report_discards();
  if (batch_.empty() && touched_.empty()) return true;
  if (!host_.emit(batch_, token_ + 1)) {
    stopped_ = true;
    return false;
  }
  ++token_;
  batch_.clear();
  lines_taken_ = 0;
  for (Input* input : touched_) {
    input->touched = false;
    if (!input->is_stream()) tracker_.emitted_up_to(input->index, input->mark(), token_);
  }
  touched_.clear();
  return true;
}

void FileSource::count_discard(const char* reason) {
  if (reason != discard_reason_) report_discards();
  discard_reason_ = reason;
  ++discards_;
}

void FileSource::report_discards() {
  if (discards_ > 0) host_.discard(discard_reason_, discards_);
  discards_ = 0;
}

void FileSource::wait() {
  auto time = config_.follow ? config_.poll_interval : kLongestWait;
  if (wake_) {
    const auto until = std::chrono::ceil<std::chrono::milliseconds>(*wake_ - Pacer::Clock::now());
    time = std::clamp(until, 0ms, std::min(time, std::chrono::milliseconds(kLongestWait)));
  }
  show_lag();
  const auto stream = std::find_if(inputs_.begin(), inputs_.end(), [](const auto& input) {
    return input->is_stream() && !input->ended() && !input->waits();
  });
  if (stream != inputs_.end()) {
    (*stream)->wait_readable(std::min(time, std::chrono::milliseconds(kStreamWait)));
  } else {
    host_.wait(time);
  }
}

void FileSource::show_lag() {
  const auto now = std::chrono::steady_clock::now();
  if (shown_at_ && now - *shown_at_ < 1s) return;
  shown_at_ = now;
  std::uint64_t lag = 0;
  for (const auto& input : inputs_) lag += input->lag();
  host_.gauge("lag_bytes", static_cast<double>(lag));
  host_.gauge("open_files", static_cast<double>(inputs_.size()));
}

}  // namespace hb::file
