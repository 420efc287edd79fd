#include "processor_chain.hpp"

#include <algorithm>

#include "backoff.hpp"
#include "reading_json.hpp"

namespace hbagent {

bool wait_to_retry(Instance& instance, std::chrono::microseconds pause,
                   std::chrono::steady_clock::time_point deadline) {
  const auto now = std::chrono::steady_clock::now();
  if (now >= deadline) return false;
  if (deadline - now < pause) pause = std::chrono::ceil<std::chrono::microseconds>(deadline - now);
  return !instance.wait(pause) && std::chrono::steady_clock::now() < deadline;
}

ProcessorChain::ProcessorChain(std::span<const InstanceConfig> processors, const std::string& source, Logger& logger,
                               DeadLetterBox& dead_letters, const std::filesystem::path& state_dir)
    : source_(source), dead_letters_(dead_letters) {
  for (const InstanceConfig& config : processors) {
    const auto folder = state_dir.empty() ? state_dir : state_dir / ("processor-" + config.name()) / source;
    if (!folder.empty()) std::filesystem::create_directories(folder);
    instances_.push_back(std::make_unique<Instance>(HB_PROCESSOR, config, logger, folder, nullptr));
  }
}

bool ProcessorChain::create(std::string& error) {
  return std::all_of(instances_.begin(), instances_.end(), [&](const auto& instance) {
    if (instance->create(error)) return true;
    error = instance->component() + ": " + error;
    return false;
  });
}

Place ProcessorChain::place_of_error(const std::string& error, Place otherwise) const {
  for (const auto& instance : instances_) {
    const std::string label = instance->component() + ": ";
    if (error.starts_with(label)) return instance->config().place_of_error(error.substr(label.size()));
  }
  return otherwise;
}

std::int32_t ProcessorChain::open(std::string& error) {
  for (const auto& instance : instances_) {
    const std::int32_t status = instance->open(error);
    if (status != HB_OK) {
      error = instance->component() + ": " + error;
      return status;
    }
  }
  return HB_OK;
}

void ProcessorChain::close() {
  for (const auto& instance : instances_) instance->close();
}

void ProcessorChain::destroy() {
  for (const auto& instance : instances_) instance->destroy();
}

void ProcessorChain::request_stop() {
  for (const auto& instance : instances_) instance->request_stop();
}

std::int64_t ProcessorChain::process(std::vector<hb_reading>& buffer, std::size_t count, SourceTerms& terms,
                                     bool& failed, Clock::time_point deadline) {
  deadline_ = deadline;
  auto left = static_cast<std::uint32_t>(count);
  for (const auto& instance : instances_) {
    if (!process_one(*instance, buffer, left, terms, failed)) return -1;
  }
  return left;
}

bool ProcessorChain::process_one(Instance& instance, std::vector<hb_reading>& buffer, std::uint32_t& count,
                                 SourceTerms& terms, bool& failed) {
  const auto capacity = static_cast<std::uint32_t>(buffer.size());
  const auto& keys = instance.config().keys;
  Backoff backoff(keys.retry_initial, keys.retry_max);
  before_.assign(buffer.begin(), buffer.begin() + count);
  bool closed = false;
  for (bool retried = false;; retried = true) {
    std::string error;
    std::uint32_t after = count;
    std::int32_t status = closed ? instance.open(error) : HB_OK;
    if (status == HB_OK) {
      closed = false;
      status = instance.process(buffer.data(), &after, capacity, verdicts_, error);
    }
    if (status == HB_OK && (after < count || after > capacity)) {
      error = "process returned " + std::to_string(after) + " readings for " + std::to_string(count) +
              " with room for " + std::to_string(capacity);
      status = HB_FAILED;
    }
    if (status == HB_OK) {
      const auto verdicts = verdicts_.take(after, {HB_VERDICT_REJECT, HB_VERDICT_DISCARD}, error);
      if (error.empty()) {
        terms.added += after - count;
        count = after;
        if (retried) instance.set_state(Instance::State::up);
        if (watch_ != nullptr) watch_->processed(count, verdicts);
        return apply_verdicts(instance, buffer, count, verdicts, terms);
      }
      status = HB_FAILED;
    }
    failed = status != HB_RETRY && status != HB_REOPEN;
    instance.note_failure(error, !failed);
    instance.logger().log(failed ? LogLevel::error : LogLevel::warning, instance.component(), error);
    const bool again = watch_ == nullptr || watch_->failed(instance, error);
    if (failed || !again) return false;
    if (!wait_to_retry(instance, backoff.next(), deadline_)) return false;
    std::copy(before_.begin(), before_.end(), buffer.begin());
    if (status == HB_REOPEN || closed) {
      instance.close();  // follows every open, also a failed one
      closed = true;
    }
  }
}

bool ProcessorChain::apply_verdicts(Instance& instance, std::vector<hb_reading>& buffer, std::uint32_t& count,
                                    const std::vector<Verdict>& verdicts, SourceTerms& terms) {
  if (verdicts.empty()) return true;
  std::size_t keep = verdicts.front().index;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& verdict = verdicts[i];
    const std::string reason = clean_reason(verdict.reason.c_str());
    if (verdict.kind == HB_VERDICT_REJECT) {
      if (!keep_dead_letter(instance, buffer[verdict.index], verdict)) return false;
      add(terms.dead_lettered, reason, 1);
    } else {
      add(terms.removed, reason, 1);
    }
    const std::size_t next = i + 1 < verdicts.size() ? verdicts[i + 1].index : count;
    const std::size_t run = next - verdict.index - 1;
    std::copy_n(buffer.begin() + verdict.index + 1, run, buffer.begin() + static_cast<std::ptrdiff_t>(keep));
    keep += run;
  }
  count = static_cast<std::uint32_t>(keep);
  return true;
}

bool ProcessorChain::keep_dead_letter(Instance& instance, const hb_reading& reading, const Verdict& verdict) {
  const std::string payload = reading_as_json(reading);
  const std::string& component = instance.component();
  const std::string reason = clean_reason(verdict.reason.c_str());
  const DeadLetter letter{.source = source_,
                          .instance = component,
                          .reason = reason,
                          .detail = verdict.detail,
                          .origin = {},
                          .payload = payload,
                          .received_us = reading.received_us};
  Backoff backoff(instance.config().keys.retry_initial, instance.config().keys.retry_max);
  for (bool failed_before = false;; failed_before = true) {
    std::string error;
    if (dead_letters_.append(letter, error)) {
      if (failed_before) instance.set_state(Instance::State::up);
      return true;
    }
    instance.note_failure(error, true);
    instance.logger().error(component, error);
    if (!wait_to_retry(instance, backoff.next(), deadline_)) return false;
  }
}

}  // namespace hbagent
