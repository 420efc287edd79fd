#include "source_runner.hpp"

#include <fmt/format.h>
#include <hbagent/journal.h>

#include <algorithm>

#include "reading_json.hpp"
#include "thread_name.hpp"

namespace hbagent {
namespace {

static_assert(HB_EMIT_WHOLE == kSliceReadings);

constexpr std::chrono::seconds kSoundRun{10};

bool sound_id(const hb_reading& reading) {
  return reading.customer_id[0] != '\0' && reading.customer_id[HB_CUSTOMER_ID_CAPACITY - 1] == '\0';
}

std::int32_t status_of(AppendResult result) {
  switch (result) {
    case AppendResult::appended:
      return HB_OK;
    case AppendResult::late:
      return HB_RETRY;
    case AppendResult::unsynced:
      return HB_REOPEN;
    case AppendResult::stopped:
      break;
  }
  return HB_END;
}

}  // namespace

SourceRunner::SourceRunner(const InstanceConfig& config, const std::vector<InstanceConfig>& processors,
                           const Surroundings& surroundings)
    : around_(surroundings),
      instance_(HB_SOURCE, config, surroundings.logger, surroundings.state_dir / ("source-" + config.name()), this),
      processors_(processors, config.name(), surroundings.logger, surroundings.dead_letters, surroundings.state_dir),
      retry_log_(surroundings.logger, instance_.component()) {
  std::filesystem::create_directories(surroundings.state_dir / ("source-" + config.name()));
}

SourceRunner::~SourceRunner() {
  join();
}

void SourceRunner::start() {
  thread_ = std::thread([this] { thread_main(); });
}

void SourceRunner::go(std::size_t index) {
  index_ = index;
  around_.board.change([this] { go_ = true; });
}

void SourceRunner::refuse(const std::string& error) {
  fail(error);
  request_stop();
}

void SourceRunner::request_stop() {
  instance_.request_stop();
  around_.board.change([this] { go_ = true; });  // a thread that still waits to begin sees that it is stopping
}

void SourceRunner::cut() {
  cut_ = true;
  processors_.request_stop();
  if (index()) around_.journal.stop_source(index_);
}

void SourceRunner::release() {
  if (index()) around_.journal.release_source(index_);
  around_.board.change([this] { released_ = true; });
}

void SourceRunner::join() {
  if (thread_.joinable()) thread_.join();
}

void SourceRunner::set_phase(Phase phase) {
  around_.board.change([&] { phase_ = phase; });
}

void SourceRunner::fail(const std::string& error) {
  instance_.note_failure(error, false);
  around_.logger.error(instance_.component(), "failed: " + error);
  around_.board.change([this] { failed_ = true; });
}

void SourceRunner::thread_main() {
  name_this_thread("src:" + instance_.config().name());
  std::string error;
  if (!processors_.create(error) || !instance_.create(error)) {
    destroy();
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
  destroy();
  set_phase(Phase::ended);
}

void SourceRunner::destroy() {
  instance_.destroy();
  processors_.destroy();
}

void SourceRunner::work() {
  const auto& keys = instance_.config().keys;
  Backoff backoff(keys.retry_initial, keys.retry_max);
  const auto sound_run = std::min<std::chrono::microseconds>(kSoundRun, keys.retry_max);
  std::string error;
  while (!instance_.stopping()) {
    std::int32_t status = processors_.open(error);
    if (status == HB_OK) status = instance_.open(error);
    if (status == HB_OK) {
      const std::uint64_t token_before = last_token_;
      const auto begin = Clock::now();
      status = instance_.run(error);
      // One that fails soon after each start, though it reads a little in between, must not come back at once for ever.
      if (last_token_ != token_before && Clock::now() - begin >= sound_run) backoff.reset();
      if (status == HB_OK && !instance_.stopping()) {
        status = HB_FAILED;
        error = "run returned although the agent is not stopping";
      }
    }
    const bool finished = status == HB_END && !instance_.stopping();
    const bool wind_up = finished || instance_.stopping() || status == HB_FAILED;
    if (status == HB_FAILED) {
      fail(error);
    } else if ((status == HB_RETRY || status == HB_REOPEN) && instance_.stopping()) {
      around_.logger.warn(instance_.component(), "while stopping: " + error);
    }
    if (finished) {
      instance_.set_state(Instance::State::finished);
      around_.logger.info(instance_.component(), "finished: no more readings");
    }
    if (wind_up) {
      set_phase(Phase::stopped);
      around_.journal.wait_acked(index_, last_token_, PhaseBoard::Clock::time_point::max());
      instance_.close();
      processors_.close();
      return;
    }
    instance_.close();
    processors_.close();
    if (!retry_after(error, backoff)) break;
  }
  set_phase(Phase::stopped);
}

bool SourceRunner::retry_after(const std::string& error, Backoff& backoff) {
  const auto pause = backoff.next();
  instance_.note_failure(error, true);
  if (!recovering_) retry_log_.reset();
  recovering_ = true;
  retry_log_.failed(error, pause);
  return !instance_.wait(pause);
}

std::int32_t SourceRunner::emit(const hb_reading* readings, std::uint32_t count, std::uint64_t token) {
  return emit_until(readings, count, token, Clock::time_point::max());
}

std::int32_t SourceRunner::emit_within(const hb_reading* readings, std::uint32_t count, std::uint64_t token,
                                       std::chrono::milliseconds time) {
  return emit_until(readings, count, token, Clock::now() + time);
}

std::int32_t SourceRunner::emit_until(const hb_reading* readings, std::uint32_t count, std::uint64_t token,
                                      Clock::time_point deadline) {
  if (cut_) return HB_END;
  if ((readings == nullptr && count > 0) || token == 0 || token < last_token_) {
    around_.logger.error(instance_.component(),
                         fmt::format("emit broke its contract: token {} after {}, {} readings{}", token,
                                     last_token_.load(), count, readings == nullptr ? " at no address" : ""));
    return HB_FAILED;
  }
  std::span<const hb_reading> left(readings, count);
  while (left.size() > kSliceReadings) {
    // Only the last slice makes the new token safe.
    const std::int32_t status = emit_slice(left.first(kSliceReadings), last_token_, deadline);
    if (status != HB_OK) return status == HB_REOPEN ? HB_RETRY : status;
    left = left.subspan(kSliceReadings);
  }
  const std::int32_t status = emit_slice(left, token, deadline);
  if (status != HB_OK && status != HB_REOPEN) return status;
  last_token_.store(token, std::memory_order_release);
  if (recovering_ && recovering_.exchange(false)) around_.logger.info(instance_.component(), "reads again");
  return status;
}

std::int32_t SourceRunner::emit_slice(std::span<const hb_reading> readings, std::uint64_t token,
                                      Clock::time_point deadline) {
  const bool processed = !processors_.empty() && !readings.empty();
  if (processed || !std::all_of(readings.begin(), readings.end(), sound_id)) {
    return emit_checked(readings, token, deadline);
  }
  SourceTerms terms;
  terms.received = readings.size();
  return status_of(around_.journal.append(index_, readings, token, std::move(terms), deadline));
}

std::int32_t SourceRunner::emit_checked(std::span<const hb_reading> readings, std::uint64_t token,
                                        Clock::time_point deadline) {
  buffer_.resize(kSliceReadings + kSpareReadings);
  std::copy(readings.begin(), readings.end(), buffer_.begin());
  std::size_t count = readings.size();
  SourceTerms terms;
  terms.received = count;
  if (!reject_unsound_ids(buffer_, count, terms, deadline)) return Clock::now() < deadline ? HB_END : HB_RETRY;
  bool failed = false;
  const std::int64_t kept = processors_.process(buffer_, count, terms, failed, deadline);
  if (failed) return HB_FAILED;
  if (kept < 0) return Clock::now() < deadline ? HB_END : HB_RETRY;
  const std::span<const hb_reading> out(buffer_.data(), static_cast<std::size_t>(kept));
  return status_of(around_.journal.append(index_, out, token, std::move(terms), deadline));
}

bool SourceRunner::reject_unsound_ids(std::vector<hb_reading>& buffer, std::size_t& count, SourceTerms& terms,
                                      Clock::time_point deadline) {
  std::size_t keep = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (sound_id(buffer[i])) {
      buffer[keep++] = buffer[i];
      continue;
    }
    const std::string payload = reading_as_json(buffer[i]);
    hb_dead_letter letter{};
    letter.size = sizeof letter;
    letter.reason = "bad_customer_id";
    letter.detail = "the customer id is empty or not terminated";
    letter.payload = payload.data();
    letter.payload_size = static_cast<std::uint32_t>(payload.size());
    const auto& config = instance_.config();
    std::string error;
    while (!around_.dead_letters.append(
        {config.name(), instance_.component(), letter.reason, letter.detail, "", payload}, error)) {
      instance_.note_failure(error, true);
      around_.logger.error(instance_.component(), error);
      if (!wait_to_retry(instance_, config.keys.retry_max, deadline)) return false;
      instance_.set_state(Instance::State::up);
    }
    add(terms.dead_lettered, letter.reason, 1);
  }
  count = keep;
  return true;
}

std::int32_t SourceRunner::wait_room(std::chrono::milliseconds time) {
  if (cut_) return HB_END;
  if (around_.journal.wait_room(index_, Journal::Clock::now() + time)) return HB_OK;
  return cut_ ? HB_END : HB_RETRY;
}

std::uint64_t SourceRunner::acked() {
  const std::uint64_t token = around_.journal.acked(index_);
  if (token == safe_token_) return token;
  // A token also covers the dead letters before it: those must be as safe as the readings.
  if (!around_.dead_letters.sync()) {
    around_.logger.error(instance_.component(),
                         "the dead-letter file could not be synced: nothing more is acknowledged to the source");
    return safe_token_;
  }
  safe_token_ = token;
  return token;
}

std::int32_t SourceRunner::dead_letter(const hb_dead_letter& letter) {
  const std::string reason = clean_reason(letter.reason);
  std::string error;
  const std::string_view payload(static_cast<const char*>(letter.payload),
                                 letter.payload == nullptr ? 0 : letter.payload_size);
  DeadLetter record{instance_.config().name(),
                    instance_.component(),
                    reason,
                    letter.detail == nullptr ? "" : letter.detail,
                    letter.origin == nullptr ? "" : letter.origin,
                    payload};
  if (letter.key != nullptr) record.key = {static_cast<const char*>(letter.key), letter.key_size};
  record.original_size = letter.original_size;
  if (!around_.dead_letters.append(record, error)) {
    around_.logger.error(instance_.component(), error);
    return HB_RETRY;
  }
  SourceTerms terms;
  terms.received = 1;
  add(terms.dead_lettered, reason, 1);
  around_.journal.account(index_, terms);
  return HB_OK;
}

void SourceRunner::discard(const std::string& reason, std::uint64_t count) {
  SourceTerms terms;
  terms.received = count;
  add(terms.discarded, reason, count);
  around_.journal.account(index_, terms);
}

}  // namespace hbagent
