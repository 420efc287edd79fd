// Tells of a failure that is tried again and again in a few lines: the first one, each other one, and then one a
// minute.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>

#include "log.hpp"

namespace hbagent {

// Of one thread.
class RetryLog {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kReminder{60};

  RetryLog(Logger& logger, std::string component) : logger_(logger), component_(std::move(component)) {}

  void failed(const std::string& error, std::chrono::microseconds pause) {
    const auto now = Clock::now();
    ++tries_;
    if (tries_ == 1) since_ = now;
    std::string shape = without_digits(error);
    const bool news = tries_ == 1 || shape != last_error_;
    last_error_ = std::move(shape);
    if (news) {
      logger_.warn(component_, fmt::format("{}; trying again in {} ms", error, pause.count() / 1000));
    } else if (now - last_line_ >= kReminder) {
      logger_.warn(component_, fmt::format("{}; {} tries in {} s, trying on", error, tries_, seconds(now)));
    } else {
      return;
    }
    last_line_ = now;
  }
  // What failed works again, and has been told of already.
  void reset() {
    tries_ = 0;
    last_error_.clear();
  }
  // `what` opens the line: "connected", "delivers again".
  void succeeded(const char* what) {
    if (tries_ == 0) return;
    logger_.info(component_, fmt::format("{} after {} tries in {} s", what, tries_ + 1, seconds(Clock::now())));
    reset();
  }

 private:
  // Errors that differ in numbers only are the same.
  static std::string without_digits(const std::string& text) {
    std::string shape;
    std::copy_if(text.begin(), text.end(), std::back_inserter(shape), [](char c) { return c < '0' || c > '9'; });
    return shape;
  }
  long long seconds(Clock::time_point now) const {
    return std::chrono::duration_cast<std::chrono::seconds>(now - since_).count();
  }

  Logger& logger_;
  const std::string component_;
  std::string last_error_;
  std::uint64_t tries_ = 0;
  Clock::time_point since_, last_line_;
};

}  // namespace hbagent
