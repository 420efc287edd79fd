#include "session.hpp"

#include "connection.hpp"
#include "sqlstate.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace postgres {
namespace {

// Ends what a session waits for when time is over or nobody wants it any more: libpqxx waits inside libpq without a
// limit.
class Watchdog {
 public:
  Watchdog(const pqxx::connection& connection, const Settings& settings, hb::Host host, std::chrono::milliseconds limit,
           std::stop_token unwanted)
      : socket_(connection.sock()),
        backend_(connection.backendpid()),
        settings_(settings),
        host_(host),
        unwanted_(std::move(unwanted)),
        deadline_(Clock::now() + limit),
        thread_([this](const std::stop_token& over) { watch(over); }) {}

 private:
  using Clock = std::chrono::steady_clock;

  void watch(const std::stop_token& over) {
    bool cancelled = false;
    std::unique_lock lock(mutex_);
    while (!over.stop_requested()) {
      if (!cancelled && (host_.stopping() || unwanted_.stop_requested())) {
        deadline_ = std::min(deadline_, Clock::now() + Connection::kStoppingGrace);
        cancel();
        cancelled = true;
      }
      const auto now = Clock::now();
      if (now >= deadline_) {
        shutdown(socket_, SHUT_RDWR);  // wakes libpq with an error
        return;
      }
      wake_.wait_until(lock, over, std::min(deadline_, now + kSlice), [] { return false; });
    }
  }

  // Without it the server would go on, and hold its locks, as long as the statement takes: it does not look whether
  // anybody waits. Over a session of its own, since libpq's PQcancel waits without a limit.
  void cancel() {
    try {
      Connection(settings_, host_, nullptr, {.limit = Connection::kStoppingGrace})
          .run("SELECT pg_cancel_backend(" + std::to_string(backend_) + ")");
    } catch (const ServerError& error) {
      host_.debug(std::string("a statement that is not wanted any more could not be cancelled: ") + error.what());
    }
  }

  static constexpr std::chrono::milliseconds kSlice{100};
  const int socket_;
  const int backend_;
  const Settings& settings_;
  hb::Host host_;
  const std::stop_token unwanted_;
  Clock::time_point deadline_;  // the thread's
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
                     const std::function<void(pqxx::work&)>& body, const std::stop_token& stop) {
  // libpqxx cannot be called back while it connects. A server that answers this will answer it as well.
  if (stop.stop_possible()) const Connection probe(settings, host, nullptr, {.stop = stop});
  pqxx::connection connection(settings.connection_string());
  const Watchdog watchdog(connection, settings, host, limit + settings.patience() - settings.timeout, stop);
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
                    const std::function<void(pqxx::work&)>& body, Silence* silence, const std::stop_token& stop) {
  Silence::Watch watch(silence);
  try {
    run_transaction(settings, host, limit, body, stop);
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
