#include "server.hpp"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

// libpqxx 6.4 forgets one result, 2 KB, when a session ends in the middle of a statement, as it does here on purpose.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libpqxx-6.4.so";
}

namespace postgres_test {
namespace {

int free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (probe < 0 || bind(probe, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  ::close(probe);
  return ntohs(address.sin_port);
}

}  // namespace

Sql::Sql(const std::string& uri) : connection_(PQconnectdb(uri.c_str())) {
  if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  PQsetNoticeReceiver(
      connection_.get(), [](void*, const PGresult*) {}, nullptr);
}

std::vector<std::vector<std::string>> Sql::rows(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()), PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection_.get()));
  }
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    auto& row = rows.emplace_back();
    for (int k = 0; k < PQnfields(result.get()); ++k) {
      row.emplace_back(PQgetisnull(result.get(), i, k) != 0 ? "NULL" : PQgetvalue(result.get(), i, k));
    }
  }
  return rows;
}

std::string Sql::value(const std::string& sql) {
  const auto found = rows(sql);
  if (found.size() != 1) throw std::runtime_error(sql + ": " + std::to_string(found.size()) + " rows");
  return found[0].at(0);
}

void Sql::send(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) throw std::runtime_error(PQerrorMessage(connection_.get()));
}

bool Sql::idle() {
  PQconsumeInput(connection_.get());
  if (PQisBusy(connection_.get()) != 0) return false;
  finish();
  return true;
}

std::string Sql::finish() {
  std::string error;
  while (PGresult* result = PQgetResult(connection_.get())) {
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) error = PQresultErrorMessage(result);
    PQclear(result);
  }
  return error;
}

Server& Server::instance() {
  static Server server;
  return server;
}

Server::Server() : port_(free_port()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "hbagent-postgres-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = pattern;
  chmod(folder_.c_str(), 0755);  // the server runs as another user when the tests run as root
  start();
}

Server::~Server() {
  if (process_ > 0) {
    kill(process_, SIGQUIT);  // immediate shutdown
    reap();
  }
  std::error_code ignored;  // nobody can be told any more
  std::filesystem::remove_all(folder_, ignored);
}

void Server::start() {
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("fork failed");
  if (process_ == 0) {
    // Ends with the test, however that ends.
    setenv("HBAGENT_PARENT_DEATH_SIGNAL", "QUIT", 1);
    unsetenv("LD_PRELOAD");
    const std::string log = folder_ + "/server.log", run = folder_ + "/run", port = std::to_string(port_);
    if (freopen("/dev/null", "r", stdin) == nullptr || freopen(log.c_str(), "a", stdout) == nullptr) _exit(126);
    dup2(1, 2);
    execl(HB_SERVER_SCRIPT, HB_SERVER_SCRIPT, "postgres", "run", run.c_str(), port.c_str(), nullptr);
    _exit(127);
  }
  wait_until(
      "PostgreSQL to answer",
      [this] {
        if (waitpid(process_, nullptr, WNOHANG) == process_) {
          process_ = -1;
          throw std::runtime_error("PostgreSQL did not start, see " + folder_ + "/server.log");
        }
        return PQping(("host=127.0.0.1 port=" + std::to_string(port_)).c_str()) == PQPING_OK;
      },
      90);
}

void Server::reap() {
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void Server::stop() {
  kill(process_, SIGINT);
  reap();
}

void Server::crash() {
  kill(process_, SIGKILL);
  reap();
}

// The postmaster first, so that it makes no new one meanwhile.
void Server::signal_all(int number) const {
  kill(process_, number);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    if (!std::getline(file, stat)) continue;  // no process, or one that has just ended
    // "PID (NAME) STATE PARENT ...", where the name may hold blanks.
    std::istringstream fields(stat.substr(stat.rfind(')') + 1));
    std::string state;
    pid_t parent = 0;
    fields >> state >> parent;
    if (parent == process_) kill(std::stoi(entry.path().filename()), number);
  }
}

std::string Server::uri(const std::string& database, const std::string& role) const {
  return "postgresql://" + role + ':' + role + "@127.0.0.1:" + std::to_string(port_) + '/' + database;
}

std::string Server::make_database() {
  const std::string name = "t" + std::to_string(++databases_);
  Sql(uri("postgres", "postgres")).run("CREATE DATABASE " + name + " OWNER hbagent");
  return name;
}

}  // namespace postgres_test
