#include "connection.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace postgres {
namespace {

// How often a wait looks whether the agent is stopping.
constexpr std::chrono::milliseconds kSlice{50};

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : text;
}

}  // namespace

Connection::Connection(const Settings& settings, hb::Host host, Silence* silence, Bounds bounds)
    : settings_(settings),
      host_(host),
      silence_(silence),
      limit_(bounds.limit.value_or(settings.patience())),
      stop_(std::move(bounds.stop)) {
  connect();
  run(settings_.session_sql());
}

void Connection::connect() {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : settings_.parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keys.data(), values.data(), 0));
  if (!connection_) throw std::bad_alloc();

  // Notices would go to stderr past the agent's log.
  PQsetNoticeReceiver(
      connection_.get(), [](void*, const PGresult*) {}, nullptr);

  // Verbose, because that is the one way to learn the SQLSTATE of a refused login.
  PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  Step step = begin_step();
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (PQstatus(connection_.get()) != CONNECTION_BAD && state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, step);
    state = PQconnectPoll(connection_.get());
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    broken_ = true;
    const std::string text = PQerrorMessage(connection_.get());
    throw ServerError(sqlstate_of_login(text), settings_.clean(text.substr(0, text.find("\nLOCATION:"))));
  }
  PQsetErrorVerbosity(connection_.get(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(connection_.get(), 1) != 0) lost("cannot make the connection non-blocking");
}

void Connection::wait(short events, Step& step) {
  while (true) {
    const auto now = Clock::now();
    if (!step.stopping_seen && (host_.stopping() || stop_.stop_requested())) {
      step.stopping_seen = true;
      step.deadline = std::min(step.deadline, now + kStoppingGrace);
    }
    if (now >= step.deadline) {
      lost(step.stopping_seen ? "given up because the sink is closing"
                              : "no answer within " + std::to_string(limit_.count()) + " ms");
    }
    step.waiting.still_waiting(now);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(step.deadline - now);
    pollfd entry{PQsocket(connection_.get()), events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::min(left, kSlice).count()));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) lost("cannot wait for the server");
  }
}

// A connection that has ended can be read from as well: only what libpq takes is an answer.
void Connection::consume_input(Step& step) {
  if (PQconsumeInput(connection_.get()) == 0) fail(nullptr);
  step.waiting.heard();
}

// Sends what libpq holds. Reads meanwhile: a server that has much to say stops listening until it is heard.
void Connection::flush(Step& step) {
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return;
    if (left < 0) fail(nullptr);
    wait(POLLIN | POLLOUT, step);
    consume_input(step);
  }
}

Result Connection::next_result(Step& step) {
  while (PQisBusy(connection_.get()) != 0) {
    wait(POLLIN, step);
    consume_input(step);
  }
  return Result(PQgetResult(connection_.get()));
}

// Collects the results of the statement that was sent, all of them, and returns the last; throws the first error.
Result Connection::finish(Step& step) {
  flush(step);
  Result last, error;
  while (Result result = next_result(step)) {
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR && !error) error = std::move(result);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) return result;  // the data comes next
    if (result) last = std::move(result);
  }
  if (error) fail(error.get());
  if (!last) fail(nullptr);
  return last;
}

Result Connection::run(const std::string& sql) {
  if (broken_) lost("the connection was lost before");
  Step step = begin_step();
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) fail(nullptr);
  return finish(step);
}

Result Connection::run(const std::string& sql, const Parameters& parameters) {
  if (broken_) lost("the connection was lost before");
  Step step = begin_step();
  if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(parameters.values_.size()),
                        parameters.types_.data(), parameters.values_.data(), parameters.lengths_.data(),
                        parameters.formats_.data(), 1) == 0) {
    fail(nullptr);
  }
  return finish(step);
}

void Connection::copy_begin(const std::string& sql) {
  const Result result = run(sql);
  if (PQresultStatus(result.get()) != PGRES_COPY_IN) lost("COPY was answered by something else");
}

void Connection::copy_data(std::string_view bytes) {
  Step step = begin_step();
  const int taken = PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (taken == 0) lost("out of memory");
  if (taken < 0) fail(nullptr);
  flush(step);
}

std::uint64_t Connection::copy_end() {
  Step step = begin_step();
  if (PQputCopyEnd(connection_.get(), nullptr) < 0) fail(nullptr);
  const Result result = finish(step);
  return std::stoull(PQcmdTuples(result.get()));
}

void Connection::copy_out(const std::string& sql, const std::function<bool(std::string_view)>& take) {
  const Result begun = run(sql);
  if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) lost("COPY was answered by something else");
  for (;;) {
    Step step = begin_step();
    char* raw = nullptr;
    int size = 0;
    while ((size = PQgetCopyData(connection_.get(), &raw, 1)) == 0) {
      wait(POLLIN, step);
      consume_input(step);
    }
    const std::unique_ptr<char, decltype(&PQfreemem)> bytes(raw, PQfreemem);
    if (size == -1) {
      finish(step);
      return;
    }
    if (size < 0) fail(nullptr);
    if (!take({raw, static_cast<std::size_t>(size)})) {
      broken_ = true;  // it goes on sending
      return;
    }
  }
}

bool Connection::roll_back() noexcept {
  try {
    if (usable() && PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) run("ROLLBACK");
  } catch (...) {
    broken_ = true;
  }
  return usable();
}

bool Connection::usable() const {
  return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK;
}

void Connection::fail(const PGresult* result) {
  const std::string state = result == nullptr ? std::string() : field(result, PG_DIAG_SQLSTATE);
  if (state.empty()) {
    lost(result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result));
  }
  throw ServerError(state, settings_.clean(field(result, PG_DIAG_MESSAGE_PRIMARY)), field(result, PG_DIAG_CONTEXT),
                    field(result, PG_DIAG_CONSTRAINT_NAME));
}

void Connection::lost(const std::string& why) {
  broken_ = true;
  const std::string text = settings_.clean(why);
  throw ServerError({}, text.empty() ? "the connection was lost" : text);
}

}  // namespace postgres
