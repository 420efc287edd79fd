// Serves the page and its data over HTTP/1.1, on one thread of its own, to any number of viewers within bounds.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "api.hpp"
#include "router.hpp"

namespace hb::dashboard {

class Session;

// A client that only holds connections delays nobody: at most max_viewers + kOthers are open, and one more takes the
// place of the one that has waited longest without sending a whole request. Viewers of the stream are bounded apart
// from them, and keep their place.
class Server {
 public:
  static constexpr std::size_t kOthers = 64;

  struct Config {
    boost::asio::ip::tcp::endpoint listen;
    Router::Config router;
    std::chrono::milliseconds refresh{500};
    std::size_t max_viewers = 500;
    // Both are called on the server's thread.
    std::function<void(std::size_t)> on_viewers = [](std::size_t) {};       // their number has changed
    std::function<void(const std::string&)> on_error = [](const auto&) {};  // for the log
  };

  // Listens when it returns. `api` outlives this, and from now on belongs to the server's thread. Throws hb::Retry,
  // which names the address and says what to do.
  Server(Config config, Api& api);
  // Closes every connection; takes no longer for many viewers.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  boost::asio::ip::tcp::endpoint endpoint() const { return endpoint_; }

 private:
  friend class Session;
  using Sessions = std::list<Session*>;

  // ---- for sessions, on the server's thread
  Router& router() { return router_; }
  Sessions::iterator enter(Session& session) { return sessions_.insert(sessions_.end(), &session); }
  void wait_again(Sessions::iterator place) { sessions_.splice(sessions_.end(), sessions_, place); }
  void leave(Sessions::iterator place) { sessions_.erase(place); }
  // False: there are max_viewers already.
  bool join(Session& viewer);
  void part(Session& viewer);

  void listen();
  void accept();
  void take(boost::asio::ip::tcp::socket socket);
  void drop_one_that_waits();
  void refresh();
  void run();

  const Config config_;
  Api& api_;
  Router router_;
  Sessions sessions_;  // by when they began to wait for a request
  std::list<Session*> viewers_;
  bool refreshing_ = false;
  std::chrono::steady_clock::time_point next_refresh_;
  boost::asio::ip::tcp::endpoint endpoint_;
  std::unique_ptr<boost::asio::io_context> context_ = std::make_unique<boost::asio::io_context>(1);
  std::optional<boost::asio::ip::tcp::acceptor> acceptor_{std::in_place, *context_};
  std::optional<boost::asio::steady_timer> retry_{std::in_place, *context_};
  std::optional<boost::asio::steady_timer> refresh_{std::in_place, *context_};
  std::thread thread_;
};

}  // namespace hb::dashboard
