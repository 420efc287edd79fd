#include "instance.hpp"

#include <fmt/format.h>
#include <hbagent/journal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "text.hpp"
#include "wall_clock.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kMaxGauges = 64;
constexpr std::size_t kErrorCapacity = 2048;

bool is_gauge_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

}  // namespace

std::string clean_reason(const char* reason) {
  static constexpr std::size_t kLongest = 48;
  std::string clean = reason == nullptr ? "" : reason;
  if (clean.size() > kLongest) clean.resize(kLongest);
  for (char& c : clean) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) c = '_';
  }
  return clean.empty() ? "unspecified" : clean;
}

const char* state_word(Instance::State state) {
  switch (state) {
    case Instance::State::starting:
      return "starting";
    case Instance::State::up:
      return "up";
    case Instance::State::down:
      return "down";
    case Instance::State::finished:
      return "finished";
    case Instance::State::failed:
      return "failed";
  }
  return "?";
}

VerdictList::VerdictList() {
  raw_.size = sizeof raw_;
  raw_.context = this;
  raw_.set = [](void* self, std::uint32_t index, std::int32_t verdict, const char* reason, const char* detail) {
    auto& list = *static_cast<VerdictList*>(self);
    try {
      list.items_.push_back({index, verdict, reason == nullptr ? "" : reason, detail == nullptr ? "" : detail});
    } catch (const std::bad_alloc&) {  // must not pass through the plugin; take() reports it
      list.out_of_memory_ = true;
    }
  };
}

std::vector<Verdict> VerdictList::take(std::size_t count, std::initializer_list<std::int32_t> allowed,
                                       std::string& error) {
  error.clear();
  std::vector<Verdict> verdicts;
  verdicts.swap(items_);
  if (out_of_memory_) {
    error = "out of memory while verdicts were taken";
    return {};
  }
  for (const Verdict& verdict : verdicts) {
    if (verdict.index >= count) {
      error = fmt::format("the plugin gave a verdict on reading {} of a batch of {}", verdict.index, count);
      return {};
    }
    if (std::find(allowed.begin(), allowed.end(), verdict.kind) == allowed.end()) {
      error = fmt::format("the plugin gave verdict {}, which is not for its kind", verdict.kind);
      return {};
    }
  }
  std::stable_sort(verdicts.begin(), verdicts.end(),
                   [](const Verdict& a, const Verdict& b) { return a.index < b.index; });
  std::vector<Verdict> last;
  for (Verdict& verdict : verdicts) {
    if (!last.empty() && last.back().index == verdict.index) last.pop_back();
    last.push_back(std::move(verdict));
  }
  return last;
}

Instance::Instance(std::uint32_t kind, const InstanceConfig& config, Logger& logger,
                   const std::filesystem::path& state_dir, SourcePort* port)
    : config_(config),
      component_(kind_word(kind) + "/" + config.name()),
      functions_(config.plugin->functions),
      logger_(logger),
      state_dir_(state_dir.string()),
      port_(port) {
  fill_host();
}

Instance::~Instance() {
  destroy();
}

void Instance::destroy() {
  if (self_ == nullptr) return;
  if (open_called_) close();
  try {
    functions_.destroy(std::exchange(self_, nullptr));
  } catch (...) {
    logger_.error(component(), "destroy threw an exception across the ABI");
  }
}

// What the agent throws, out of memory most likely, must not pass through a plugin.
template <class Result, class Body>
Result Instance::guarded(void* self, Result fallback, const Body& body) noexcept {
  auto& instance = *static_cast<Instance*>(self);
  try {
    return body(instance);
  } catch (const std::exception& error) {
    try {
      instance.logger_.error(instance.component(), error.what());
    } catch (...) {
      return fallback;
    }
    return fallback;
  }
}

void Instance::fill_host() {
  host_.size = sizeof host_;
  host_.abi_minor = HB_ABI_MINOR;
  host_.context = this;
  host_.instance = config_.name().c_str();
  host_.state_dir = state_dir_.empty() ? nullptr : state_dir_.c_str();
  host_.emit = [](void* self, const hb_reading* readings, std::uint32_t count, std::uint64_t token) -> std::int32_t {
    return guarded<std::int32_t>(self, HB_FAILED, [&](Instance& instance) {
      return instance.port_ == nullptr ? HB_FAILED : instance.port_->emit(readings, count, token);
    });
  };
  host_.acked = [](void* self) -> std::uint64_t {
    return guarded<std::uint64_t>(
        self, 0, [](Instance& instance) { return instance.port_ == nullptr ? 0 : instance.port_->acked(); });
  };
  host_.dead_letter = [](void* self, const hb_dead_letter* letter) -> std::int32_t {
    return guarded<std::int32_t>(self, HB_RETRY, [&](Instance& instance) -> std::int32_t {
      if (instance.port_ == nullptr || letter == nullptr) return HB_FAILED;
      hb_dead_letter copy{};
      std::memcpy(&copy, letter, std::min<std::size_t>(letter->size, sizeof copy));
      return instance.port_->dead_letter(copy);
    });
  };
  host_.discard = [](void* self, const char* reason, std::uint64_t count) {
    guarded<bool>(self, false, [&](Instance& instance) {
      if (instance.port_ != nullptr) instance.port_->discard(clean_reason(reason), count);
      return true;
    });
  };
  host_.stopping = [](void* self) -> std::uint32_t { return static_cast<Instance*>(self)->stopping() ? 1 : 0; };
  host_.wait = [](void* self, std::uint32_t milliseconds) -> std::uint32_t {
    return static_cast<Instance*>(self)->wait(std::chrono::milliseconds(milliseconds)) ? 1 : 0;
  };
  host_.now_us = [](void*) { return wall_clock_us(); };
  host_.log = [](void* self, std::int32_t level, const char* text) {
    guarded<bool>(self, false, [&](Instance& instance) {
      const auto clamped = static_cast<LogLevel>(std::clamp<std::int32_t>(level, HB_LOG_DEBUG, HB_LOG_ERROR));
      instance.logger_.log(clamped, instance.component(), text == nullptr ? "" : text);
      return true;
    });
  };
  host_.health = [](void* self, std::int32_t up, const char* text) {
    guarded<bool>(self, false, [&](Instance& instance) {
      instance.on_health(up != 0, text == nullptr ? "" : text);
      return true;
    });
  };
  host_.gauge = [](void* self, const char* name, double value) {
    guarded<bool>(self, false, [&](Instance& instance) {
      instance.on_gauge(name, value);
      return true;
    });
  };
  host_.extension = [](void* self, const char* id) -> const void* {
    static constexpr auto kWaitRoom = [](void* context, std::uint32_t milliseconds) -> std::int32_t {
      return guarded<std::int32_t>(context, HB_RETRY, [&](Instance& owner) {
        return owner.port_->wait_room(std::chrono::milliseconds(milliseconds));
      });
    };
    static constexpr auto kEmitWithin = [](void* context, const hb_reading* readings, std::uint32_t count,
                                           std::uint64_t token, std::uint32_t milliseconds) -> std::int32_t {
      return guarded<std::int32_t>(context, HB_FAILED, [&](Instance& owner) {
        return owner.port_->emit_within(readings, count, token, std::chrono::milliseconds(milliseconds));
      });
    };
    static constexpr hb_journal kOnDisk{sizeof(hb_journal), 1, kWaitRoom, kEmitWithin};
    static constexpr hb_journal kInMemory{sizeof(hb_journal), 0, kWaitRoom, kEmitWithin};
    const auto& instance = *static_cast<Instance*>(self);
    if (instance.port_ == nullptr || id == nullptr || std::strcmp(id, HB_JOURNAL_EXTENSION) != 0) return nullptr;
    return instance.port_->journal_survives_process() ? &kOnDisk : &kInMemory;
  };
}

template <class Call>
std::int32_t Instance::call(const char* function, std::string& error, const Call& body) {
  std::array<char, kErrorCapacity> text{};
  hb_error raw{};
  raw.size = sizeof raw;
  raw.capacity = static_cast<std::uint32_t>(text.size());
  raw.text = text.data();
  std::int32_t status = HB_FAILED;
  try {
    status = body(&raw);
  } catch (...) {
    error = fmt::format("{} threw an exception across the ABI", function);
    return HB_FAILED;
  }
  text.back() = '\0';
  error = one_line(text.data());
  if (status < HB_OK || status > HB_FAILED) {
    error = fmt::format("{} returned the unknown status {}", function, status);
    return HB_FAILED;
  }
  if (status != HB_OK && status != HB_END && error.empty()) error = fmt::format("{} failed without a reason", function);
  return status;
}

bool Instance::create(std::string& error) {
  call("create", error, [&](hb_error* text) {
    self_ = functions_.create(&host_, &config_.values->root, text);
    return HB_OK;
  });
  if (self_ == nullptr && error.empty()) error = "create failed without a reason";
  // What it found wrong may be a secret that the environment holds.
  error = config_.values->as_written(std::move(error));
  return self_ != nullptr;
}

std::int32_t Instance::open(std::string& error) {
  open_called_ = true;
  const std::int32_t status = call(
      "open", error, [&](hb_error* text) { return functions_.open == nullptr ? HB_OK : functions_.open(self_, text); });
  if (status == HB_OK) set_state(State::up);
  return status == HB_END ? HB_OK : status;
}

void Instance::close() {
  if (!open_called_) return;
  open_called_ = false;
  std::string error;
  call("close", error, [&](hb_error*) {
    if (functions_.close != nullptr) functions_.close(self_);
    return HB_OK;
  });
  if (!error.empty()) logger_.error(component(), error);
}

std::int32_t Instance::run(std::string& error) {
  return call("run", error, [&](hb_error* text) { return functions_.run(self_, text); });
}

std::int32_t Instance::process(hb_reading* readings, std::uint32_t* count, std::uint32_t capacity,
                               VerdictList& verdicts, std::string& error) {
  verdicts.clear();
  return call("process", error, [&](hb_error* text) {
    return functions_.process(self_, readings, count, capacity, verdicts.raw(), text);
  });
}

std::int32_t Instance::write(const hb_reading* readings, std::uint32_t count, VerdictList& verdicts,
                             std::string& error) {
  verdicts.clear();
  return call("write", error,
              [&](hb_error* text) { return functions_.write(self_, readings, count, verdicts.raw(), text); });
}

// A copy by the size rule: functions that the plugin does not have are null.
template <class Extension>
Extension Instance::extension(const char* id) {
  Extension copy{};
  if (functions_.extension == nullptr) return copy;
  std::string error;
  call("extension", error, [&](hb_error*) {
    const auto* raw = static_cast<const Extension*>(functions_.extension(self_, id));
    if (raw != nullptr) std::memcpy(&copy, raw, std::min<std::size_t>(raw->size, sizeof copy));
    return HB_OK;
  });
  if (!error.empty()) logger_.error(component(), error);
  return copy;
}

hb_decoder Instance::decoder() {
  return extension<hb_decoder>(HB_DECODE_EXTENSION);
}

hb_stored Instance::stored() {
  return extension<hb_stored>(HB_STORED_EXTENSION);
}

std::int32_t Instance::read_stored(const hb_stored& stored, const hb_stored_query& query,
                                   const hb_stored_output& output, std::string& error) {
  return call("read", error, [&](hb_error* text) { return stored.read(self_, &query, &output, text); });
}

std::int32_t Instance::decode(const hb_decoder& decoder, const hb_decode_input& input, const hb_decode_output& output,
                              std::string& error) {
  return call("decode", error, [&](hb_error* text) { return decoder.decode(self_, &input, &output, text); });
}

void Instance::request_stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
}

bool Instance::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool Instance::wait(std::chrono::microseconds time) {
  std::unique_lock lock(mutex_);
  return stop_changed_.wait_for(lock, time, [&] { return stopping_; });
}

void Instance::set_state(State state) {
  const std::lock_guard lock(mutex_);
  status_.state = state;
}

void Instance::note_failure(const std::string& error, bool retrying) {
  const std::lock_guard lock(mutex_);
  if (status_.state != State::down) down_since_ = std::chrono::steady_clock::now();
  status_.last_error = error;
  status_.last_error_time = wall_clock_us();
  if (retrying) ++status_.retries;
  status_.state = retrying ? State::down : State::failed;
}

void Instance::on_health(bool up, const std::string& text) {
  bool changed = false;
  std::chrono::duration<double> down_for{0};
  {
    const std::lock_guard lock(mutex_);
    if (status_.state == State::finished || status_.state == State::failed) return;
    const State state = up ? State::up : State::down;
    changed = status_.state != state;
    status_.state = state;
    if (changed && up) down_for = std::chrono::steady_clock::now() - down_since_;
    if (!up) {
      if (changed) down_since_ = std::chrono::steady_clock::now();
      status_.last_error = one_line(text);
      status_.last_error_time = wall_clock_us();
    }
  }
  if (!changed) return;
  if (up) {
    logger_.info(component(), fmt::format("connected again after {:.1f} s", down_for.count()));
  } else {
    logger_.warn(component(), "connection lost: " + text);
  }
}

void Instance::on_gauge(const char* name, double value) {
  if (name == nullptr || !is_gauge_name(name)) {
    logger_.warn(component(), "a gauge's name must be lower case letters, digits and \"_\"");
    return;
  }
  const std::lock_guard lock(mutex_);
  if (status_.gauges.size() < kMaxGauges || status_.gauges.contains(name)) status_.gauges[name] = value;
}

Instance::Status Instance::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace hbagent
