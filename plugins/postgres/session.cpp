#include "session.hpp"

#include "connection.hpp"
#include "sqlstate.hpp"

#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace postgres {
namespace {

// Shuts a socket down when time is over: libpqxx waits inside libpq without a limit, and this wakes it with an error.
class Watchdog {
 public:
  Watchdog(int socket, hb::Host host, std::chrono::milliseconds limit)
      : thread_([=, this](const std::stop_token& stop) { watch(stop, socket, host, limit); }) {}

 private:
  void watch(const std::stop_token& stop, int socket, hb::Host host, std::chrono::milliseconds limit) {
    auto deadline = std::chrono::steady_clock::now() + limit;
    bool stopping_seen = false;
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const auto now = std::chrono::steady_clock::now();
      if (!stopping_seen && host.stopping()) {
        stopping_seen = true;
        deadline = std::min(deadline, now + Connection::kStoppingGrace);
      }
      if (now >= deadline) {
        shutdown(socket, SHUT_RDWR);
        return;
      }
      wake_.wait_until(lock, stop, std::min(deadline, now + std::chrono::milliseconds(100)), [] { return false; });
    }
  }
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it ends before what it uses
};

// "ERROR:  text\nLINE 1: ..." as "text".
std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  const auto colon = text.find(":  ");
  if (colon < 12) text.remove_prefix(colon + 3);
  return std::string(text);
}

// libpqxx 6.4 gives some errors a type and no SQLSTATE.
template <class Error>
bool is(const std::exception& error) {
  return dynamic_cast<const Error*>(&error) != nullptr;
}
std::string sqlstate_of(const std::exception& error) {
  if (const auto* answer = dynamic_cast<const pqxx::sql_error*>(&error);
      answer != nullptr && answer->sqlstate().size() == 5) {
    return answer->sqlstate();
  }
  if (is<pqxx::insufficient_privilege>(error)) return "42501";
  if (is<pqxx::undefined_table>(error)) return "42P01";
  if (is<pqxx::syntax_error>(error)) return "42601";  // and what is derived from it: column, function
  if (is<pqxx::feature_not_supported>(error)) return "0A000";
  if (is<pqxx::unique_violation>(error)) return "23505";
  if (is<pqxx::integrity_constraint_violation>(error)) return "23000";
  if (is<pqxx::data_exception>(error)) return "22000";
  if (is<pqxx::disk_full>(error)) return "53100";
  if (is<pqxx::insufficient_resources>(error)) return "53000";
  if (is<pqxx::too_many_connections>(error)) return "53300";
  if (is<pqxx::deadlock_detected>(error)) return "40P01";
  if (is<pqxx::serialization_failure>(error)) return "40001";
  return {};  // connection lost, commit in doubt
}

void run_transaction(const Settings& settings, hb::Host host, std::chrono::milliseconds limit,
                     const std::function<void(pqxx::work&)>& body) {
  pqxx::connection connection(settings.connection_string());
  const Watchdog watchdog(connection.sock(), host, limit + settings.patience() - settings.timeout);
  pqxx::work transaction(connection);
  transaction.exec(settings.session_sql());
  transaction.exec("SET LOCAL statement_timeout = " + std::to_string(limit.count()));
  // CREATE ... IF NOT EXISTS would otherwise chat on stderr.
  transaction.exec("SET LOCAL client_min_messages = warning");
  body(transaction);
  transaction.commit();
}

}  // namespace

void in_transaction(const Settings& settings, hb::Host host, std::chrono::milliseconds limit,
                    const std::function<void(pqxx::work&)>& body, Silence* silence) {
  Silence::Watch watch(silence);
  try {
    run_transaction(settings, host, limit, body);
    watch.heard();
  } catch (const ServerError&) {
    throw;
  } catch (const hb::Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string state = sqlstate_of(error);
    if (!state.empty()) watch.heard();
    throw ServerError(state, settings.clean(state.empty() ? error.what() : first_line(error.what())));
  }
}

}  // namespace postgres
