#include "sink_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "reading_json.hpp"
#include "thread_name.hpp"
#include "wall_clock.hpp"

namespace hbagent {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Receive times may run ahead of the clock: hb::ReceiveClock gives none twice, and the clock may be set back.
double delay_seconds(std::int64_t received_us, std::int64_t now_us) {
  return static_cast<double>(std::max<std::int64_t>(now_us - received_us, 0)) / 1e6;
}

}  // namespace

SinkRunner::SinkRunner(const InstanceConfig& config, const Surroundings& surroundings)
    : around_(surroundings),
      instance_(HB_SINK, config, surroundings.logger, surroundings.state_dir / ("sink-" + config.name()), nullptr),
      redelivery_([this] {
        if (index()) around_.journal.nudge(index_);  // else it looks before it begins to wait
      }),
      retry_log_(surroundings.logger, instance_.component()) {
  std::filesystem::create_directories(surroundings.state_dir / ("sink-" + config.name()));
}

SinkRunner::~SinkRunner() {
  join();
}

void SinkRunner::start() {
  thread_ = std::thread([this] { thread_main(); });
}

void SinkRunner::go(std::size_t index) {
  index_ = index;
  around_.board.change([this] { go_ = true; });
}

void SinkRunner::refuse(const std::string& error) {
  fail(error);
  abort();
}

void SinkRunner::drain() {
  draining_ = true;
  if (index()) around_.journal.interrupt(index_);
  around_.board.change([this] { go_ = true; });
}

void SinkRunner::abort() {
  instance_.request_stop();
  drain();
}

void SinkRunner::join() {
  if (thread_.joinable()) thread_.join();
}

void SinkRunner::set_phase(Phase phase) {
  around_.board.change([&] { phase_ = phase; });
}

void SinkRunner::fail(const std::string& error) {
  instance_.note_failure(error, false);
  around_.logger.error(
      instance_.component(),
      "failed: " + error + "; it stays stopped until a restart, and what is pending is not acknowledged");
  around_.board.change([this] { failed_ = true; });
}

void SinkRunner::thread_main() {
  name_this_thread("sink:" + instance_.config().name());
  std::string error;
  if (!instance_.create(error)) {
    instance_.destroy();
    around_.board.change([&] {
      create_error_ = error;
      failed_ = true;
      phase_ = Phase::ended;
    });
    return;
  }
  set_phase(Phase::created);
  around_.board.wait([this] { return go_; });
  set_phase(Phase::running);
  work();
  redelivery_.close("it has stopped");
  instance_.destroy();
  set_phase(Phase::ended);
}

void SinkRunner::work() {
  const InstanceConfig& config = instance_.config();
  JournalBatch batch;
  if (!index() || !open_with_backoff()) return;
  if (config.keys.backlog == InstanceKeys::Backlog::live_first) around_.journal.newest_first(index_);
  while (!instance_.stopping()) {
    if (!redeliver()) return;
    std::uint64_t available = around_.journal.wait(index_, 1, Clock::time_point::max());
    if (available < config.batch_size && !draining_) {
      available = around_.journal.wait(index_, config.batch_size, Clock::now() + config.keys.batch_timeout);
    }
    if (available == 0) {
      if (draining_) return;
      continue;
    }
    {
      // Time without work is no stall.
      const std::lock_guard lock(progress_mutex_);
      last_progress_ = Clock::now();
    }
    if (!read(batch)) return;
    SinkTerms terms;
    terms.filtered = batch.filtered;
    terms.dropped = batch.damaged;
    const std::int64_t newest_us = batch.readings.empty() ? 0 : batch.readings.back().received_us;
    bool was_down = false;
    if (!deliver(batch, terms, was_down) || (!terms.rejected.empty() && !sync_dead_letters())) return;
    around_.journal.commit(index_, terms);
    if (was_down && config.keys.backlog == InstanceKeys::Backlog::live_first) around_.journal.newest_first(index_);
    const std::lock_guard lock(progress_mutex_);
    last_progress_ = Clock::now();
    if (newest_us != 0) progress_.last_delay_seconds = delay_seconds(newest_us, wall_clock_us());
  }
}

bool SinkRunner::redeliver() {
  const auto readings = redelivery_.take();
  if (!readings) return true;
  const auto count = static_cast<std::uint32_t>(readings->size());
  Redelivery::Answer answer;
  answer.status = instance_.write(readings->data(), count, verdicts_, answer.error);
  if (answer.status == HB_OK) {
    answer.verdicts = verdicts_.take(count, {HB_VERDICT_REJECT, HB_VERDICT_RETRY, HB_VERDICT_DUPLICATE}, answer.error);
    if (!answer.error.empty()) answer.status = HB_FAILED;
  }
  const std::int32_t status = answer.status;
  const std::string error = answer.error;
  redelivery_.answer(std::move(answer));
  if (status == HB_FAILED || status == HB_END) {
    fail(error);
    return false;
  }
  if (status != HB_REOPEN) return true;
  instance_.close();
  return open_with_backoff();
}

bool SinkRunner::read(JournalBatch& batch) {
  const InstanceConfig& config = instance_.config();
  Backoff backoff(config.keys.retry_initial, config.keys.retry_max);
  for (bool failed_before = false;; failed_before = true) {
    try {
      around_.journal.read(index_, config.batch_size, batch);
      if (failed_before) instance_.set_state(Instance::State::up);
      return true;
    } catch (const std::system_error& error) {
      if (!pause(error.what(), backoff)) return false;
    }
  }
}

bool SinkRunner::open_with_backoff() {
  const auto& keys = instance_.config().keys;
  Backoff backoff(keys.retry_initial, keys.retry_max);
  while (!instance_.stopping()) {
    std::string error;
    const std::int32_t status = instance_.open(error);
    if (status == HB_OK) {
      retry_log_.succeeded("connected");
      return true;
    }
    instance_.close();
    if (status == HB_FAILED) {
      fail(error);
      return false;
    }
    if (!pause(error, backoff)) return false;
  }
  return false;
}

bool SinkRunner::pause(const std::string& error, Backoff& backoff) {
  const auto time = backoff.next();
  instance_.note_failure(error, true);
  retry_log_.failed(error, time);
  return !instance_.wait(time);
}

bool SinkRunner::deliver(JournalBatch& batch, SinkTerms& terms, bool& was_down) {
  const auto& keys = instance_.config().keys;
  Backoff backoff(keys.retry_initial, keys.retry_max);
  std::vector<std::uint32_t> origin;  // of the readings that are left; made at the first that must be tried again
  for (std::uint64_t tries = 1; !batch.readings.empty(); ++tries) {
    if (tries > 1 && instance_.stopping()) return false;
    std::string error;
    const std::int32_t status = write_once(batch, batch.readings, origin, terms, error);
    if (status == HB_OK && batch.readings.empty()) {
      if (tries > 1) {
        instance_.set_state(Instance::State::up);
        was_down = true;
      }
      retry_log_.succeeded("delivers");
      break;
    }
    if (status == HB_FAILED || status == HB_END) {
      fail(error);
      return false;
    }
    if (status == HB_OK) error = fmt::format("{} readings must be tried again", batch.readings.size());
    if (!pause(error, backoff)) return false;
    if (status == HB_REOPEN) {
      instance_.close();
      if (!open_with_backoff()) return false;
    }
  }
  return true;
}

std::int32_t SinkRunner::write_once(const JournalBatch& batch, std::vector<hb_reading>& readings,
                                    std::vector<std::uint32_t>& origin, SinkTerms& terms, std::string& error) {
  const auto begin = Clock::now();
  const auto count = static_cast<std::uint32_t>(readings.size());
  const std::int32_t status = instance_.write(readings.data(), count, verdicts_, error);
  {
    const std::lock_guard lock(progress_mutex_);
    ++progress_.writes;
    progress_.write_seconds += seconds_between(begin, Clock::now());
  }
  if (status != HB_OK) return status;
  const auto verdicts = verdicts_.take(count, {HB_VERDICT_REJECT, HB_VERDICT_RETRY, HB_VERDICT_DUPLICATE}, error);
  if (!error.empty()) return HB_FAILED;
  if (origin.empty() && !verdicts.empty()) {
    origin.resize(count);
    std::iota(origin.begin(), origin.end(), 0U);
  }
  std::vector<hb_reading> again;
  std::vector<std::uint32_t> again_origin;
  SinkTerms answered;
  answered.delivered = count;
  for (const Verdict& verdict : verdicts) {
    if (verdict.kind == HB_VERDICT_DUPLICATE) {
      ++answered.duplicate;
      continue;
    }
    --answered.delivered;
    if (verdict.kind == HB_VERDICT_RETRY) {
      again.push_back(readings[verdict.index]);
      again_origin.push_back(origin[verdict.index]);
      continue;
    }
    const std::string source = around_.journal.source_name(batch.source_of(origin[verdict.index]));
    // Stopping: nothing of this batch is committed, so nothing is lost.
    if (!keep_dead_letter(source, readings[verdict.index], verdict)) return HB_RETRY;
    add(answered.rejected, clean_reason(verdict.reason.c_str()), 1);
  }
  terms += answered;
  readings.assign(again.begin(), again.end());  // keeps its storage for the next batch
  origin = std::move(again_origin);
  return HB_OK;
}

bool SinkRunner::keep_dead_letter(const std::string& source, const hb_reading& reading, const Verdict& verdict) {
  const auto& keys = instance_.config().keys;
  const std::string payload = reading_as_json(reading);
  const std::string& component = instance_.component();
  const std::string reason = clean_reason(verdict.reason.c_str());
  const DeadLetter letter{.source = source,
                          .instance = component,
                          .reason = reason,
                          .detail = verdict.detail,
                          .origin = {},
                          .payload = payload,
                          .received_us = reading.received_us};
  Backoff backoff(keys.retry_initial, keys.retry_max);
  for (bool failed_before = false;; failed_before = true) {
    std::string error;
    if (around_.dead_letters.append(letter, error)) {
      if (failed_before) instance_.set_state(Instance::State::up);
      return true;
    }
    if (!pause(error, backoff)) return false;
  }
}

// Before what was rejected is passed for good: on power loss it must be in the one place or the other.
bool SinkRunner::sync_dead_letters() {
  const auto& keys = instance_.config().keys;
  Backoff backoff(keys.retry_initial, keys.retry_max);
  while (!around_.dead_letters.sync()) {
    if (!pause("the dead letters cannot be made durable; restart the agent once the disk is sound", backoff))
      return false;
  }
  return true;
}

SinkRunner::Progress SinkRunner::progress() const {
  const std::lock_guard lock(progress_mutex_);
  Progress copy = progress_;
  copy.seconds_since_progress = seconds_between(last_progress_, Clock::now());
  return copy;
}

}  // namespace hbagent
