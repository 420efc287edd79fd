// What a C++ plugin sees of the agent: readings, batches, the host, and the errors it may throw.
#ifndef HBAGENT_HOST_HPP
#define HBAGENT_HOST_HPP

#include <hbagent/journal.h>
#include <hbagent/plugin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hb {

using Reading = hb_reading;
inline constexpr std::size_t kMaxCustomerId = HB_CUSTOMER_ID_CAPACITY - 1;

inline std::string_view customer_id(const Reading& reading) {
  return reading.customer_id;
}

// Sets the id, zero-padded. Returns false, and changes nothing, unless it has 1 to 41 bytes and no NUL.
inline bool set_customer_id(Reading& reading, std::string_view id) {
  if (id.empty() || id.size() > kMaxCustomerId || id.find('\0') != std::string_view::npos) return false;
  std::memset(reading.customer_id, 0, sizeof reading.customer_id);
  std::memcpy(reading.customer_id, id.data(), id.size());
  return true;
}

// A plugin says what went wrong by throwing one of these. Any other exception counts as Retry.
struct Error : std::runtime_error {
  Error(std::int32_t status_code, const std::string& text) : std::runtime_error(text), status(status_code) {}
  std::int32_t status;
};
// Nothing is lost; the agent tries again after a backoff.
struct Retry : Error {
  explicit Retry(const std::string& text) : Error(HB_RETRY, text) {}
};
// As Retry, but the sink is closed and opened again first.
struct Reopen : Error {
  explicit Reopen(const std::string& text) : Error(HB_REOPEN, text) {}
};
// Cannot go on without a change of configuration; what is pending is kept.
struct Failed : Error {
  explicit Failed(const std::string& text) : Error(HB_FAILED, text) {}
};

// Input that cannot become a reading. The views last for the call.
struct DeadLetter {
  const char* reason;               // short and stable: "bad_json"
  std::string detail;               // for a person
  std::string origin;               // "topic[3]@1042", "file.csv:17"
  std::string_view payload;         // the original bytes
  std::string_view key = {};        // of the record that held them, where decoding needs it; null: none
  std::uint64_t original_size = 0;  // where payload is only the beginning: how much there was
};

// The agent as one instance sees it. A small value, valid until the instance is destroyed; every function may be
// called from any thread of the plugin. plugin.h states the exact contract of each.
class Host {
 public:
  explicit Host(const hb_host& host) { std::memcpy(&host_, &host, std::min<std::size_t>(host.size, sizeof host_)); }

  // Source: hands readings over; blocks while the journal is full. False: the agent is stopping, nothing was taken.
  // `token` is 1 or more and never smaller than the one before. Throws Failed when a rule was broken.
  [[nodiscard]] bool emit(std::span<const Reading> readings, std::uint64_t token) const {
    const auto status = host_.emit(host_.context, readings.data(), static_cast<std::uint32_t>(readings.size()), token);
    if (status == HB_FAILED) throw Failed("the agent refused a batch; its log says why");
    return status == HB_OK;
  }
  // Source: everything up to this token is safe; 0 before the first.
  std::uint64_t acked() const { return host_.acked(host_.context); }
  // Source: before the emit whose token covers it. Throws Retry when it could not be kept.
  void dead_letter(const DeadLetter& letter) const {
    hb_dead_letter raw{};
    raw.size = sizeof raw;
    raw.reason = letter.reason;
    raw.detail = letter.detail.c_str();
    raw.origin = letter.origin.c_str();
    raw.payload = letter.payload.data();
    raw.payload_size = static_cast<std::uint32_t>(letter.payload.size());
    raw.key = letter.key.data();
    raw.key_size = letter.key.size();
    raw.original_size = letter.original_size;
    if (host_.dead_letter(host_.context, &raw) != HB_OK) throw Retry("the dead letter could not be kept");
  }
  // Source: inputs that hold no reading at all, counted by reason.
  void discard(const char* reason, std::uint64_t count = 1) const { host_.discard(host_.context, reason, count); }

  bool stopping() const { return host_.stopping(host_.context) != 0; }
  // Sleeps unless stopping, at most 49 days, and not at all for a time that is past; returns stopping().
  bool wait(std::chrono::milliseconds time) const {
    constexpr std::int64_t kLongest = UINT32_MAX;
    const auto milliseconds = std::clamp<std::int64_t>(time.count(), 0, kLongest);
    return host_.wait(host_.context, static_cast<std::uint32_t>(milliseconds)) != 0;
  }
  // Microseconds since the Unix epoch, UTC.
  std::int64_t now_us() const { return host_.now_us(host_.context); }

  // Never a customer's reading or a secret.
  void debug(const std::string& text) const { host_.log(host_.context, HB_LOG_DEBUG, text.c_str()); }
  void info(const std::string& text) const { host_.log(host_.context, HB_LOG_INFO, text.c_str()); }
  void warn(const std::string& text) const { host_.log(host_.context, HB_LOG_WARNING, text.c_str()); }
  void error(const std::string& text) const { host_.log(host_.context, HB_LOG_ERROR, text.c_str()); }

  // Whether the far side can be reached, for /readyz and the metrics. After open an instance counts as up.
  void up() const { host_.health(host_.context, 1, ""); }
  void down(const std::string& why) const { host_.health(host_.context, 0, why.c_str()); }
  // A gauge of the plugin's own: lower_case, ends in its unit ("lag_readings").
  void gauge(const char* name, double value) const { host_.gauge(host_.context, name, value); }

  std::string_view instance() const { return host_.instance; }
  // This instance's private folder; empty in `hbagent check` and where dead letters are replayed.
  std::string_view state_dir() const { return host_.state_dir == nullptr ? "" : host_.state_dir; }
  const void* extension(const char* id) const { return host_.extension(host_.context, id); }
  // Whether readings that emit has taken survive the death of the agent's process. Where they do not, and where the
  // agent does not say (it is older), they are safe only once acked() has reached their token.
  bool journal_survives_process() const {
    const hb_journal* const journal = this->journal();
    return journal != nullptr && journal->survives_process != 0;
  }
  // Source: waits until emit would find room for a few readings; HB_OK, HB_RETRY (none in that time) or HB_END (emit
  // takes nothing any more). For sources whose emit must not block for long. HB_OK where the agent cannot say.
  std::int32_t wait_room(std::chrono::milliseconds time) const {
    const hb_journal* const journal = this->journal();
    return journal == nullptr ? HB_OK : journal->wait_room(host_.context, static_cast<std::uint32_t>(time.count()));
  }
  // Source: as emit, but blocks no longer than `time`. HB_OK, HB_RETRY (not all was taken: emit it again), HB_REOPEN
  // (taken, but not durable yet) or HB_END (the agent is stopping). Throws Failed when a rule was broken, and where the
  // agent cannot do it.
  std::int32_t emit_within(std::span<const Reading> readings, std::uint64_t token,
                           std::chrono::milliseconds time) const {
    const hb_journal* const journal = this->journal();
    if (journal == nullptr || journal->size < sizeof(hb_journal)) throw Failed("the agent has no emit_within");
    const auto status =
        journal->emit_within(host_.context, readings.data(), static_cast<std::uint32_t>(readings.size()), token,
                             static_cast<std::uint32_t>(std::max<std::int64_t>(0, time.count())));
    if (status == HB_FAILED) throw Failed("the agent refused a batch; its log says why");
    return status;
  }

 private:
  const hb_journal* journal() const { return static_cast<const hb_journal*>(extension(HB_JOURNAL_EXTENSION)); }

  hb_host host_{};
};

// Readings on their way into a sink. Those without a verdict are delivered when write returns.
class Batch {
 public:
  Batch(std::span<const Reading> readings, const hb_verdicts& verdicts) : readings_(readings), verdicts_(&verdicts) {}

  auto begin() const { return readings_.begin(); }
  auto end() const { return readings_.end(); }
  std::size_t size() const { return readings_.size(); }
  const Reading& operator[](std::size_t index) const { return readings_[index]; }
  std::span<const Reading> readings() const { return readings_; }

  // To the dead letters. `reason`: short and stable; `detail`: for a person.
  void reject(std::size_t index, const char* reason, const char* detail = nullptr) const {
    set(index, HB_VERDICT_REJECT, reason, detail);
  }
  // This reading again, later; nothing is lost.
  void retry(std::size_t index) const { set(index, HB_VERDICT_RETRY, nullptr, nullptr); }
  // Delivered: it was stored before and nothing changed.
  void duplicate(std::size_t index) const { set(index, HB_VERDICT_DUPLICATE, nullptr, nullptr); }

 private:
  void set(std::size_t index, std::int32_t verdict, const char* reason, const char* detail) const {
    verdicts_->set(verdicts_->context, static_cast<std::uint32_t>(index), verdict, reason, detail);
  }
  std::span<const Reading> readings_;
  const hb_verdicts* verdicts_;
};

// Readings on their way through a processor, which changes them in place.
class MutableBatch {
 public:
  MutableBatch(Reading* readings, std::uint32_t count, std::uint32_t capacity, const hb_verdicts& verdicts)
      : readings_(readings), count_(count), capacity_(capacity), verdicts_(&verdicts) {}

  Reading* begin() const { return readings_; }
  Reading* end() const { return readings_ + count_; }
  std::size_t size() const { return count_; }
  Reading& operator[](std::size_t index) const { return readings_[index]; }

  // To the dead letters.
  void reject(std::size_t index, const char* reason, const char* detail = nullptr) const {
    verdicts_->set(verdicts_->context, static_cast<std::uint32_t>(index), HB_VERDICT_REJECT, reason, detail);
  }
  // Counted by reason and not kept.
  void discard(std::size_t index, const char* reason) const {
    verdicts_->set(verdicts_->context, static_cast<std::uint32_t>(index), HB_VERDICT_DISCARD, reason, nullptr);
  }
  // Adds a reading behind the others. False: no room in this batch.
  [[nodiscard]] bool append(const Reading& reading) {
    if (count_ == capacity_) return false;
    readings_[count_++] = reading;
    return true;
  }

 private:
  Reading* readings_;
  std::uint32_t count_;
  std::uint32_t capacity_;
  const hb_verdicts* verdicts_;
};

}  // namespace hb

#endif
