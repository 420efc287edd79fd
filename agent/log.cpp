#include "log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <functional>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kMaxRepeatKeys = 512;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

Logger::Logger(LogFormat format, LogLevel level)
    : format_(format),
      level_(level),
      out_(std::make_shared<spdlog::logger>("hbagent", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  out_->set_level(spdlog_level(level));
  const char* pattern = format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                                  : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
  out_->set_pattern(pattern, spdlog::pattern_time_type::utc);
}

Logger::~Logger() = default;

void Logger::log(LogLevel level, std::string_view component, std::string_view text) {
  if (level < level_) return;
  std::uint64_t held_back = 0;
  if (!passes(component, text, held_back)) return;
  std::string message(text);
  if (held_back > 0) message += " (and " + std::to_string(held_back) + " more like this since the last one)";
  if (format_ == LogFormat::json) {
    message = "\"component\":" + json_quoted(component) + ",\"message\":" + json_quoted(message);
  } else {
    message = std::string(component) + ": " + one_line(message);
  }
  out_->log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));
}

bool Logger::passes(std::string_view component, std::string_view text, std::uint64_t& held_back) {
  std::uint64_t key = std::hash<std::string_view>{}(component);
  for (const char c : text) {
    if (c < '0' || c > '9') key = key * 1099511628211U + static_cast<unsigned char>(c);
  }
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (repeats_.size() >= kMaxRepeatKeys && !repeats_.contains(key)) repeats_.clear();
  Repeat& repeat = repeats_[key];
  if (repeat.in_window == 0 || now - repeat.window_start >= kWindow) {
    repeat.window_start = now;
    repeat.in_window = 0;
  }
  if (++repeat.in_window > kBurst) {
    ++repeat.held_back;
    return false;
  }
  held_back = repeat.held_back;
  repeat.held_back = 0;
  return true;
}

}  // namespace hbagent
