// One configured plugin instance: its calls across the ABI, and the host it sees.
#pragma once

#include <hbagent/decode.h>
#include <hbagent/plugin.h>
#include <hbagent/stored.h>

#include <array>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "config.hpp"
#include "log.hpp"

namespace hbagent {

// What only a source may ask of its host. Implemented by the source's runner.
class SourcePort {
 public:
  virtual ~SourcePort() = default;
  virtual std::int32_t emit(const hb_reading* readings, std::uint32_t count, std::uint64_t token) = 0;
  virtual std::uint64_t acked() = 0;
  virtual std::int32_t dead_letter(const hb_dead_letter& letter) = 0;
  virtual void discard(const std::string& reason, std::uint64_t count) = 0;
  // What hbagent.journal/1 says.
  virtual bool journal_survives_process() const { return false; }
  virtual std::int32_t wait_room(std::chrono::milliseconds) { return HB_OK; }
  virtual std::int32_t emit_within(const hb_reading* readings, std::uint32_t count, std::uint64_t token,
                                   std::chrono::milliseconds) {
    return emit(readings, count, token);
  }
};

struct Verdict {
  std::uint32_t index = 0;
  std::int32_t kind = 0;  // HB_VERDICT_*
  std::string reason, detail;
};

// Collects the verdicts of one call.
class VerdictList {
 public:
  VerdictList();
  VerdictList(const VerdictList&) = delete;
  VerdictList& operator=(const VerdictList&) = delete;

  void clear() {
    items_.clear();
    out_of_memory_ = false;
  }
  const hb_verdicts* raw() const { return &raw_; }
  // By index, one an index (the last that was set), with `error` empty. Empty with `error` set when a verdict broke the
  // rules: an index at or beyond `count`, or a kind that is not in `allowed`.
  std::vector<Verdict> take(std::size_t count, std::initializer_list<std::int32_t> allowed, std::string& error);

 private:
  hb_verdicts raw_{};
  std::vector<Verdict> items_;
  bool out_of_memory_ = false;
};

// A short stable word for metrics: lower case, digits and "_", at most 48 characters.
std::string clean_reason(const char* reason);

// create, open, run, process, write, close and the destructor: instance-thread. The rest: any thread.
class Instance {
 public:
  enum class State { starting, up, down, finished, failed };
  struct Status {
    State state = State::starting;
    std::string last_error;            // empty: none yet
    std::int64_t last_error_time = 0;  // us since the epoch
    std::uint64_t retries = 0;
    std::map<std::string, double> gauges;
  };

  // `state_dir` is empty in `check`; `port` only for a source, and outlives the instance.
  Instance(std::uint32_t kind, const InstanceConfig& config, Logger& logger, const std::filesystem::path& state_dir,
           SourcePort* port);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  bool create(std::string& error);
  std::int32_t open(std::string& error);
  void close();
  // Closes it if need be. By the thread that created it; the destructor is for `check`, which has one thread.
  void destroy();
  std::int32_t run(std::string& error);
  std::int32_t process(hb_reading* readings, std::uint32_t* count, std::uint32_t capacity, VerdictList& verdicts,
                       std::string& error);
  std::int32_t write(const hb_reading* readings, std::uint32_t count, VerdictList& verdicts, std::string& error);
  // The plugin's hbagent.decode/1; its `decode` is null where it has none.
  hb_decoder decoder();
  std::int32_t decode(const hb_decoder& decoder, const hb_decode_input& input, const hb_decode_output& output,
                      std::string& error);

  // The plugin's hbagent.stored/1; its `read` is null where it has none.
  hb_stored stored();
  std::int32_t read_stored(const hb_stored& stored, const hb_stored_query& query, const hb_stored_output& output,
                           std::string& error);

  void request_stop();
  bool stopping() const;
  // Sleeps unless stopping; returns stopping().
  bool wait(std::chrono::microseconds time);
  void set_state(State state);
  // Counts a retry and keeps its error for the status.
  void note_failure(const std::string& error, bool retrying);
  Status status() const;
  // "source/ward-3": for logs and dead letters; lives as long as the instance.
  const std::string& component() const { return component_; }
  const InstanceConfig& config() const { return config_; }
  Logger& logger() const { return logger_; }

 private:
  template <class Call>
  std::int32_t call(const char* function, std::string& error, const Call& body);
  template <class Extension>
  Extension extension(const char* id);
  template <class Result, class Body>
  static Result guarded(void* self, Result fallback, const Body& body) noexcept;
  void fill_host();
  void on_health(bool up, const std::string& text);
  void on_gauge(const char* name, double value);

  const InstanceConfig& config_;
  const std::string component_;
  const hb_plugin& functions_;
  Logger& logger_;
  const std::string state_dir_;
  SourcePort* const port_;
  hb_host host_{};
  void* self_ = nullptr;
  bool open_called_ = false;

  mutable std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point down_since_ = std::chrono::steady_clock::now();
  Status status_;
};

const char* state_word(Instance::State state);

}  // namespace hbagent
