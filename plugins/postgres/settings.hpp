// How to reach the database: the options merged into libpq's parameters, for libpq and for libpqxx.
#pragma once

#include "config.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postgres {

struct Settings {
  std::vector<std::pair<std::string, std::string>> parameters;  // keyword and value, as libpq takes them
  std::string target;                                           // "localhost:5435/heartbeat_db", for messages
  std::string schema;
  std::chrono::milliseconds timeout{0};  // the server's own, for statements and locks

  // When we give a step up: later than the server would, whose answer says more and keeps the session.
  std::chrono::milliseconds patience() const {
    return timeout + std::max(std::chrono::milliseconds(1000), timeout / 4);
  }

  // keyword='value' ..., for libpqxx. Holds the password.
  std::string connection_string() const;
  // The SQL that every session starts with: time zone, search path, timeouts.
  std::string session_sql() const;
  // A message of libpq as one line without the password.
  std::string clean(std::string_view message) const;
};

// Throws hb::Failed where the options contradict each other or the URI cannot be read. Never echoes a secret.
Settings make_settings(const Config& config);

// "name" with quotes doubled.
std::string quote_identifier(std::string_view name);

}  // namespace postgres
