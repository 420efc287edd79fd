#include "emitter.hpp"

#include <string_view>
#include <utility>

namespace hb::kafka {

void Wake::set() noexcept {
  {
    const std::lock_guard lock(mutex_);
    set_ = true;
  }
  condition_.notify_one();
}

void Wake::wait_for(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  condition_.wait_for(lock, time, [this] { return set_; });
  set_ = false;
}

void DecodedBatch::clear() {
  readings.clear();
  rejects.clear();
  discards.clear();
}

std::string origin_of(const rd_kafka_message_t& message) {
  return std::string(rd_kafka_topic_name(message.rkt)) + '[' + std::to_string(message.partition) + "]@" +
         std::to_string(message.offset);
}

Emitter::Emitter(Host host, Wake& wake) : host_(host), wake_(wake), thread_([this] { run(); }) {}

Emitter::~Emitter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool Emitter::is_idle() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  return !busy_ && !refused_;
}

bool Emitter::is_refused() {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Emitter::hand_over(DecodedBatch& batch) {
  {
    const std::lock_guard lock(mutex_);
    std::swap(batch_, batch);
    busy_ = true;
  }
  changed_.notify_one();
  batch.clear();
}

void Emitter::run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return busy_ || ending_; });
    if (!busy_) return;
    lock.unlock();
    bool taken = false;
    std::exception_ptr failure;
    try {
      taken = emit(batch_);
    } catch (...) {  // thrown again on the instance's thread
      failure = std::current_exception();
    }
    batch_.clear();
    lock.lock();
    busy_ = false;
    failure_ = failure;
    refused_ = !taken && !failure;
    wake_.set();
  }
}

// Dead letters and discards go first: the token that covers them is the emit's.
bool Emitter::emit(DecodedBatch& batch) const {
  for (const auto& [reason, count] : batch.discards) host_.discard(reason, count);
  for (const DecodedBatch::Reject& reject : batch.rejects) {
    if (reject.part) {
      host_.dead_letter({reject.reason, reject.detail, reject.part->origin, reject.part->payload, reject.part->key});
      continue;
    }
    const rd_kafka_message_t& message = *reject.message;
    host_.dead_letter({reject.reason,
                       reject.detail,
                       origin_of(message),
                       {static_cast<const char*>(message.payload), message.len},
                       {static_cast<const char*>(message.key), message.key_len}});
  }
  return host_.emit(batch.readings, batch.token);
}

}  // namespace hb::kafka
