// One connection through libpq for the data path: binary COPY and binary parameters, never blocking longer than the
// timeout, given up soon after the agent begins to stop. Not thread-safe: one thread at a time.
#pragma once

#include "settings.hpp"
#include "silence.hpp"
#include "sqlstate.hpp"

#include <libpq-fe.h>
#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace postgres {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

// Parameters of one statement in binary format. The bytes must outlive the call.
class Parameters {
 public:
  void add(Oid type, std::string_view bytes) {
    types_.push_back(type);
    values_.push_back(bytes.data());
    lengths_.push_back(static_cast<int>(bytes.size()));
    formats_.push_back(1);
  }

 private:
  friend class Connection;
  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// What ends a step of a connection beside the agent's own stop.
struct Bounds {
  std::optional<std::chrono::milliseconds> limit{};  // default: Settings::patience
  std::stop_token stop{};
};

// Every function throws ServerError. After one without SQLSTATE the connection is of no more use.
class Connection {
 public:
  // How long a step may go on once the agent is stopping.
  static constexpr std::chrono::milliseconds kStoppingGrace{1000};

  // Connects and sets the session up. `silence` learns of waits that are long; it outlives the connection.
  Connection(const Settings& settings, hb::Host host, Silence* silence = nullptr, Bounds bounds = {});

  // Runs one or more statements without parameters; the result is the last one's.
  Result run(const std::string& sql);
  // Runs one statement; the result is binary.
  Result run(const std::string& sql, const Parameters& parameters);

  // COPY ... FROM STDIN: begin, any number of copy_data, then copy_end, which returns the number of rows.
  void copy_begin(const std::string& sql);
  void copy_data(std::string_view bytes);
  std::uint64_t copy_end();

  // COPY ... TO STDOUT: each message, which holds a row, until `take` says false; then the connection is of no more
  // use.
  void copy_out(const std::string& sql, const std::function<bool(std::string_view)>& take);

  // Ends an open transaction without complaint. False: the connection is gone.
  bool roll_back() noexcept;
  bool usable() const;
  // Bounds every step of what follows, for the last words at the end. [same thread]
  void hurry(std::chrono::milliseconds limit) { limit_ = limit; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  // When the step that begins now must have ended, and how long it has heard nothing.
  struct Step {
    Clock::time_point deadline;
    Silence::Wait waiting;
    bool stopping_seen = false;
  };

  void connect();
  Step begin_step() const { return {Clock::now() + limit_, Silence::Wait(silence_)}; }
  void wait(short events, Step& step);
  void consume_input(Step& step);
  void flush(Step& step);
  Result next_result(Step& step);
  Result finish(Step& step);
  [[noreturn]] void fail(const PGresult* result);
  [[noreturn]] void lost(const std::string& why);

  const Settings& settings_;
  hb::Host host_;
  Silence* const silence_;
  std::chrono::milliseconds limit_;
  std::stop_token stop_;
  bool broken_ = false;
  std::unique_ptr<PGconn, Close> connection_;
};

}  // namespace postgres
