// Structured log lines on stderr, as text or JSON, with repeats rate-limited.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace spdlog {
class logger;
}

namespace hbagent {

enum class LogLevel { debug, info, warning, error };
enum class LogFormat { text, json };

// Thread-safe. Never hand it a customer's reading (above debug) or a secret.
class Logger {
 public:
  Logger(LogFormat format, LogLevel level);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // `component` names who speaks: "agent", "source/ward-3". Lines of one component that differ in digits only count as
  // repeats: past kBurst within kWindow they are held back, and counted in the next that passes.
  void log(LogLevel level, std::string_view component, std::string_view text);
  void debug(std::string_view component, std::string_view text) { log(LogLevel::debug, component, text); }
  void info(std::string_view component, std::string_view text) { log(LogLevel::info, component, text); }
  void warn(std::string_view component, std::string_view text) { log(LogLevel::warning, component, text); }
  void error(std::string_view component, std::string_view text) { log(LogLevel::error, component, text); }

  static constexpr unsigned kBurst = 5;
  static constexpr std::chrono::seconds kWindow{10};

 private:
  struct Repeat {
    std::chrono::steady_clock::time_point window_start;
    unsigned in_window = 0;
    std::uint64_t held_back = 0;
  };
  // Whether the line may pass; `held_back` says how many like it did not.
  bool passes(std::string_view component, std::string_view text, std::uint64_t& held_back);

  LogFormat format_;
  LogLevel level_;
  std::shared_ptr<spdlog::logger> out_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Repeat> repeats_;
};

}  // namespace hbagent
