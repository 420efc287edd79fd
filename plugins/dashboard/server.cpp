#include "server.hpp"

#include <hbagent/host.hpp>

#include <pthread.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "listen.hpp"
#include "session.hpp"

namespace hb::dashboard {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

Server::Server(Config config, Api& api) : config_(std::move(config)), api_(api), router_(config_.router, api) {
  listen();
  accept();
  thread_ = std::thread([this] { run(); });
}

Server::~Server() {
  context_->stop();
  thread_.join();
  acceptor_.reset();
  retry_.reset();
  refresh_.reset();
  context_.reset();  // ends the sessions, which still take themselves off the lists
}

void Server::listen() {
  boost::system::error_code error;
  acceptor_->open(config_.listen.protocol(), error);
  if (!error) acceptor_->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_->bind(config_.listen, error);
  if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (!error) endpoint_ = acceptor_->local_endpoint(error);
  if (error) {
    throw Retry("cannot listen on " + text_of(config_.listen) + ": " + error.message() +
                "; choose another address or port (listen), or stop who uses it");
  }
}

void Server::run() {
  pthread_setname_np(pthread_self(), "dashboard");
  for (;;) {
    try {
      context_->run();
      return;
    } catch (const std::exception& error) {  // out of memory, most likely; a session that met it has ended
      config_.on_error(std::string("the page's server met an error and goes on: ") + error.what());
    }
  }
}

void Server::accept() {
  acceptor_->async_accept([this](boost::system::error_code error, tcp::socket socket) {
    if (error) {  // out of descriptors, most likely: again a little later, with one more
      drop_one_that_waits();
      retry_->expires_after(std::chrono::milliseconds(100));
      retry_->async_wait([this](boost::system::error_code) { accept(); });
      return;
    }
    try {
      take(std::move(socket));
    } catch (const std::exception&) {
      accept();
      throw;
    }
    accept();
  });
}

void Server::take(tcp::socket socket) {
  if (sessions_.size() >= config_.max_viewers + kOthers) drop_one_that_waits();
  std::make_shared<Session>(*this, std::move(socket))->start();
}

// Whoever has waited longest without a whole request has the least to lose: an idle connection, or a client that sends
// too slowly to be a browser. Answers under way are spared as long as that is possible, viewers always.
void Server::drop_one_that_waits() {
  const auto in_state = [&](Session::State state) {
    return std::find_if(sessions_.begin(), sessions_.end(), [&](const Session* one) { return one->state() == state; });
  };
  auto one = in_state(Session::State::waiting);
  if (one == sessions_.end()) one = in_state(Session::State::answering);
  if (one != sessions_.end()) (*one)->drop();
}

bool Server::join(Session& viewer) {
  if (viewers_.size() >= config_.max_viewers) return false;
  viewers_.push_back(&viewer);
  config_.on_viewers(viewers_.size());
  viewer.offer(api_.frame());
  if (!refreshing_) {
    refreshing_ = true;
    next_refresh_ = Clock::now() + config_.refresh;
    refresh();
  }
  return true;
}

void Server::part(Session& viewer) {
  viewers_.remove(&viewer);
  config_.on_viewers(viewers_.size());
}

// Waits for the next time, and then gives all viewers one new snapshot; ends when there are none.
void Server::refresh() {
  refresh_->expires_at(next_refresh_);
  refresh_->async_wait([this](boost::system::error_code error) {
    if (error) return;
    if (viewers_.empty()) {
      refreshing_ = false;
      return;
    }
    next_refresh_ = std::max(next_refresh_ + config_.refresh, Clock::now());
    refresh();
    const auto frame = api_.new_frame();
    for (Session* const viewer : viewers_) viewer->offer(frame);
  });
}

}  // namespace hb::dashboard
