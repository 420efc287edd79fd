// Drives a plugin class from a unit test without an agent: a host that records what the plugin says, and a batch
// whose verdicts can be read. Header-only; for tests.
#ifndef HBAGENT_TESTING_HPP
#define HBAGENT_TESTING_HPP

#include <hbagent/sdk.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hb::testing {

struct RecordedLetter {
  std::string reason, detail, origin, payload, key;
  std::uint64_t original_size = 0;
};

// A host. All recorded state is guarded: read it through the functions. Outlives the plugin under test.
class TestHost {
 public:
  explicit TestHost(std::string instance = "test", std::string state_dir = "")
      : instance_(std::move(instance)), state_dir_(std::move(state_dir)) {
    raw_.size = sizeof raw_;
    raw_.context = this;
    raw_.instance = instance_.c_str();
    raw_.state_dir = state_dir_.empty() ? nullptr : state_dir_.c_str();
    raw_.emit = [](void* self, const hb_reading* readings, std::uint32_t count, std::uint64_t token) {
      return static_cast<TestHost*>(self)->on_emit({readings, count}, token);
    };
    raw_.acked = [](void* self) -> std::uint64_t { return static_cast<TestHost*>(self)->acked_; };
    raw_.dead_letter = [](void* self, const hb_dead_letter* letter) {
      return static_cast<TestHost*>(self)->on_dead_letter(*letter);
    };
    raw_.discard = [](void* self, const char* reason, std::uint64_t count) {
      auto& host = *static_cast<TestHost*>(self);
      const std::lock_guard lock(host.mutex_);
      host.discarded_[reason] += count;
    };
    raw_.stopping = [](void* self) -> std::uint32_t { return static_cast<TestHost*>(self)->stopping_; };
    raw_.wait = [](void* self, std::uint32_t ms) -> std::uint32_t { return static_cast<TestHost*>(self)->on_wait(ms); };
    raw_.now_us = [](void* self) { return static_cast<TestHost*>(self)->on_now(); };
    raw_.log = [](void* self, std::int32_t level, const char* text) {
      auto& host = *static_cast<TestHost*>(self);
      const std::lock_guard lock(host.mutex_);
      host.logs_.emplace_back(level, text);
    };
    raw_.health = [](void* self, std::int32_t up, const char* text) {
      auto& host = *static_cast<TestHost*>(self);
      const std::lock_guard lock(host.mutex_);
      host.health_ = {up != 0, text};
    };
    raw_.gauge = [](void* self, const char* name, double value) {
      auto& host = *static_cast<TestHost*>(self);
      const std::lock_guard lock(host.mutex_);
      host.gauges_[name] = value;
    };
    raw_.extension = [](void*, const char*) -> const void* { return nullptr; };
  }
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  Host host() const { return Host(raw_); }
  const hb_host& raw() const { return raw_; }

  // ---- what the test controls [any thread]
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = 1;
    }
    changed_.notify_all();
  }
  void ack(std::uint64_t token) { acked_ = token; }
  // Acknowledge each emit as it is made.
  void ack_at_once(bool on) { ack_at_once_ = on; }
  void set_now_us(std::int64_t now) { now_us_ = now; }
  // Called after each emit on the emitting thread; for instance to stop after enough readings.
  std::function<void(TestHost&)> after_emit;
  // Keep only counts, for benchmarks.
  bool keep_readings = true;
  bool refuse_dead_letters = false;
  std::size_t most_dead_letters = SIZE_MAX;  // beyond these they are refused

  // ---- what the plugin did [any thread]
  std::vector<Reading> readings() const { return locked(readings_); }
  std::vector<std::pair<std::uint64_t, std::uint32_t>> emits() const { return locked(emits_); }  // token, count
  std::vector<RecordedLetter> letters() const { return locked(letters_); }
  std::map<std::string, std::uint64_t> discarded() const { return locked(discarded_); }
  std::vector<std::pair<std::int32_t, std::string>> logs() const { return locked(logs_); }
  std::map<std::string, double> gauges() const { return locked(gauges_); }
  std::optional<std::pair<bool, std::string>> health() const { return locked(health_); }
  std::uint64_t emitted() const { return emitted_; }

 private:
  template <class T>
  T locked(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }
  std::int32_t on_emit(std::span<const Reading> readings, std::uint64_t token) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ != 0) return HB_END;
      if (token == 0 || token < last_token_) return HB_FAILED;
      last_token_ = token;
      if (keep_readings) {
        readings_.insert(readings_.end(), readings.begin(), readings.end());
        emits_.emplace_back(token, static_cast<std::uint32_t>(readings.size()));
      }
      emitted_ += readings.size();
      if (ack_at_once_) acked_ = token;
    }
    if (after_emit) after_emit(*this);
    return HB_OK;
  }
  std::int32_t on_dead_letter(const hb_dead_letter& letter) {
    if (refuse_dead_letters) return HB_RETRY;
    const std::lock_guard lock(mutex_);
    if (letters_.size() >= most_dead_letters) return HB_RETRY;
    letters_.push_back({letter.reason, letter.detail == nullptr ? "" : letter.detail,
                        letter.origin == nullptr ? "" : letter.origin,
                        std::string(static_cast<const char*>(letter.payload), letter.payload_size),
                        std::string(static_cast<const char*>(letter.key), letter.key_size), letter.original_size});
    return HB_OK;
  }
  std::uint32_t on_wait(std::uint32_t ms) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping_ != 0; });
    return stopping_;
  }
  std::int64_t on_now() const {
    if (now_us_ != 0) return now_us_;
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  }

  hb_host raw_{};
  std::string instance_, state_dir_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<std::uint32_t> stopping_{0};
  std::atomic<std::uint64_t> acked_{0};
  std::atomic<std::uint64_t> emitted_{0};
  std::atomic<std::int64_t> now_us_{0};
  std::atomic<bool> ack_at_once_{false};
  std::uint64_t last_token_ = 0;
  std::vector<Reading> readings_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> emits_;
  std::vector<RecordedLetter> letters_;
  std::map<std::string, std::uint64_t> discarded_;
  std::vector<std::pair<std::int32_t, std::string>> logs_;
  std::map<std::string, double> gauges_;
  std::optional<std::pair<bool, std::string>> health_;
};

struct RecordedVerdict {
  std::int32_t verdict = 0;  // 0: none, the reading is delivered or kept
  std::string reason, detail;
  bool operator==(const RecordedVerdict&) const = default;
};

// Readings with the verdicts that a sink or processor gave them.
class TestBatch {
 public:
  explicit TestBatch(std::vector<Reading> readings, std::size_t spare = 0)
      : readings_(std::move(readings)), count_(readings_.size()) {
    readings_.resize(count_ + spare);
    verdicts_.resize(readings_.size());
    raw_.size = sizeof raw_;
    raw_.context = this;
    raw_.set = [](void* self, std::uint32_t index, std::int32_t verdict, const char* reason, const char* detail) {
      static_cast<TestBatch*>(self)->verdicts_.at(index) = {verdict, reason == nullptr ? "" : reason,
                                                            detail == nullptr ? "" : detail};
    };
  }
  TestBatch(const TestBatch&) = delete;
  TestBatch& operator=(const TestBatch&) = delete;

  Batch sink_batch() const { return {std::span(readings_).first(count_), raw_}; }
  // Runs `processor` on the readings; those without a reject or discard are kept.
  template <class Processor>
  std::vector<Reading> process(Processor& processor) {
    MutableBatch batch(readings_.data(), static_cast<std::uint32_t>(count_),
                       static_cast<std::uint32_t>(readings_.size()), raw_);
    processor.process(batch);
    std::vector<Reading> kept;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (verdicts_[i].verdict == 0) kept.push_back(readings_[i]);
    }
    return kept;
  }
  const RecordedVerdict& verdict(std::size_t index) const { return verdicts_.at(index); }

 private:
  std::vector<Reading> readings_;
  std::size_t count_;
  std::vector<RecordedVerdict> verdicts_;
  hb_verdicts raw_{};
};

// Runs a source's decode on one input and keeps what came of it.
class TestDecode {
 public:
  struct Refusal {
    std::int32_t verdict = 0;  // HB_VERDICT_REJECT or HB_VERDICT_DISCARD
    std::string reason, detail, bytes;
  };

  template <class Source>
  TestDecode(Source& source, const DecodeInput& input) {
    hb_decode_output raw{};
    raw.size = sizeof raw;
    raw.context = this;
    raw.reading = [](void* self, const hb_reading* reading) {
      static_cast<TestDecode*>(self)->readings.push_back(*reading);
    };
    raw.refuse = [](void* self, std::int32_t verdict, const char* reason, const char* detail, const void* bytes,
                    std::uint64_t size) {
      static_cast<TestDecode*>(self)->refusals.push_back(
          {verdict, reason, detail == nullptr ? "" : detail, std::string(static_cast<const char*>(bytes), size)});
    };
    source.decode(input, DecodeOutput(raw));
  }
  TestDecode(const TestDecode&) = delete;
  TestDecode& operator=(const TestDecode&) = delete;

  std::vector<Reading> readings;
  std::vector<Refusal> refusals;
};

// A reading for tests. Throws std::invalid_argument for an id that does not fit.
inline Reading make_reading(std::string_view id, std::int64_t time_us, std::int32_t heart_rate, std::uint16_t flags = 0,
                            std::int64_t received_us = 0) {
  Reading reading{};
  if (!set_customer_id(reading, id)) throw std::invalid_argument("customer id");
  reading.time_us = time_us;
  reading.received_us = received_us == 0 ? time_us : received_us;
  reading.heart_rate = heart_rate;
  reading.flags = flags;
  return reading;
}

}  // namespace hb::testing

#endif
