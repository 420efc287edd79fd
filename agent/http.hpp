// HTTP/1.1 for the agent's endpoint and its control socket.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "journal/file_io.hpp"

namespace hbagent {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Throws std::runtime_error, which says what to do, unless `listen` is "address:port" or "[v6-address]:port".
void check_listen(const std::string& listen);

struct HttpRequest {
  bool post = false;
  std::string path;  // without the query
  std::string body;
};

// One thread of its own. Slow or idle clients are cut off after kTimeoutSeconds. At most
// kMaxConnections are served at once: one more takes the place of the one that has waited longest without sending a
// whole request, so that clients which only hold connections delay nobody.
class HttpServer {
 public:
  // Answers a path. Called on the server's thread.
  using Handler = std::function<HttpAnswer(const std::string& path)>;
  using RequestHandler = std::function<HttpAnswer(const HttpRequest& request)>;

  // For GET and HEAD only. `listen` is "address:port" or "[v6-address]:port"; port 0 takes a free one. Throws
  // std::runtime_error that says what to do.
  HttpServer(const std::string& listen, Handler handler);
  // For POST as well, with bodies of up to kMaxBody bytes. `socket` is a Unix domain socket that listens.
  HttpServer(UniqueFd socket, RequestHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string address() const;  // where it listens: "127.0.0.1:9464"; only of an address

  static constexpr int kTimeoutSeconds = 10;
  static constexpr int kMaxConnections = 64;
  static constexpr std::size_t kMaxBody = 1 << 20;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace hbagent
