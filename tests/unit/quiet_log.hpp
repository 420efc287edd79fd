// A log that says nothing, for tests whose subject is not what is logged.
#pragma once

#include "log.hpp"

inline hbagent::Logger& quiet() {
  using hbagent::LogLevel;
  static hbagent::Logger logger(hbagent::LogFormat::text, static_cast<LogLevel>(static_cast<int>(LogLevel::error) + 1));
  return logger;
}
