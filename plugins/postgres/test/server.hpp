// A real PostgreSQL for tests: started as the local stack starts it, on a free port, with data in a temporary folder.
#pragma once

#include <libpq-fe.h>
#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace postgres_test {

// Waits until `condition()` holds; throws std::runtime_error after `seconds`.
template <class Condition>
void wait_until(const char* what, const Condition& condition, int seconds = 90);

// A plain connection for looking at, and meddling with, what the sink does. Throws std::runtime_error.
class Sql {
 public:
  explicit Sql(const std::string& uri);
  // Rows of text; NULL is "NULL".
  std::vector<std::vector<std::string>> rows(const std::string& sql);
  // The one value of one row.
  std::string value(const std::string& sql);
  void run(const std::string& sql) { rows(sql); }
  // Sends a statement without waiting for its end; finish() waits, and returns the error's text or nothing.
  void send(const std::string& sql);
  // False while a sent statement runs.
  bool idle();
  std::string finish();

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Close> connection_;
};

class Server {
 public:
  // The one server of this test program.
  static Server& instance();
  ~Server();

  void start();
  void stop();   // clean, clients are sent away
  void crash();  // kill -9
  // SIGSTOP and SIGCONT for all of its processes: connections stay open, nothing answers.
  void freeze() { signal_all(SIGSTOP); }
  void thaw() { signal_all(SIGCONT); }
  int port() const { return port_; }
  const std::string& folder() const { return folder_; }
  std::string uri(const std::string& database, const std::string& role = "hbagent") const;

  // A new, empty database that hbagent owns; a name that no other test has.
  std::string make_database();

 private:
  Server();
  void reap();
  void signal_all(int number) const;

  std::string folder_;
  int port_ = 0;
  pid_t process_ = -1;
  int databases_ = 0;
};

}  // namespace postgres_test

#include <chrono>
#include <stdexcept>
#include <thread>

template <class Condition>
void postgres_test::wait_until(const char* what, const Condition& condition, int seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error(std::string("waited in vain for ") + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}
