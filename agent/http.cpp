#include "http.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <cstring>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "version.hpp"

namespace hbagent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Stream = asio::generic::stream_protocol;  // TCP or a Unix domain socket

constexpr std::uint32_t kMaxHeader = 8 * 1024;

tcp::endpoint parse_listen(const std::string& listen) {
  const auto wrong = [&] {
    return std::runtime_error(
        fmt::format("[http] listen = \"{}\" is no \"address:port\", such as \"127.0.0.1:9464\"", listen));
  };
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) throw wrong();
  std::string host = listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  std::uint16_t port = 0;
  const char* end = listen.data() + listen.size();
  const auto [parsed, error] = std::from_chars(listen.data() + colon + 1, end, port);
  boost::system::error_code bad_address;
  const auto address = asio::ip::make_address(host, bad_address);
  if (error != std::errc() || parsed != end || bad_address) throw wrong();
  return {address, port};
}

}  // namespace

void check_listen(const std::string& listen) {
  static_cast<void>(parse_listen(listen));
}

class HttpServer::Server {
 public:
  Server(const std::string& listen, Handler handler)
      : handler_([answer = std::move(handler)](const HttpRequest& request) { return answer(request.path); }),
        max_body_(0) {
    const tcp::endpoint endpoint = parse_listen(listen);
    boost::system::error_code error;
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      throw std::runtime_error(
          fmt::format("[http] cannot listen on {}: {}; choose another address or port, or stop who "
                      "uses it",
                      listen, error.message()));
    }
    start();
  }
  Server(UniqueFd socket, RequestHandler handler) : handler_(std::move(handler)), max_body_(kMaxBody) {
    acceptor_->assign(Stream(AF_UNIX, 0), socket.get());
    socket.release();
    start();
  }
  ~Server() {
    context_->stop();
    thread_.join();
    acceptor_.reset();
    retry_.reset();
    context_.reset();  // ends the sessions, which still take themselves off the list
  }

  std::string address() const {
    const Stream::endpoint any = acceptor_->local_endpoint();
    tcp::endpoint endpoint;
    endpoint.resize(any.size());
    std::memcpy(endpoint.data(), any.data(), any.size());
    const bool v6 = endpoint.address().is_v6();
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.address().to_string(), v6 ? "]" : "", endpoint.port());
  }

 private:
  class Session;
  using Sessions = std::list<Session*>;

  void start() {
    accept();
    thread_ = std::thread([this] { context_->run(); });
  }
  void accept();
  void make_room();

  const RequestHandler handler_;
  const std::size_t max_body_;  // 0: no POST
  Sessions sessions_;           // those that are served, by when they began to wait for a request
  std::unique_ptr<asio::io_context> context_ = std::make_unique<asio::io_context>(1);
  std::optional<asio::basic_socket_acceptor<Stream>> acceptor_{std::in_place, *context_};
  std::optional<asio::steady_timer> retry_{std::in_place, *context_};
  std::thread thread_;
};

// One connection. Keeps itself alive by its own handlers.
class HttpServer::Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, Stream::socket socket)
      : server_(server), place_(server.sessions_.insert(server.sessions_.end(), this)), stream_(std::move(socket)) {}
  ~Session() {
    if (!dropped_) server_.sessions_.erase(place_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool is_answering() const { return answering_; }

  // Closes the connection; whatever it waits for ends.
  void drop() {
    dropped_ = true;
    server_.sessions_.erase(place_);
    stream_.close();
  }

  void read() {
    answering_ = false;
    server_.sessions_.splice(server_.sessions_.end(), server_.sessions_, place_);
    parser_.emplace();
    parser_->header_limit(kMaxHeader);
    parser_->body_limit(server_.max_body_);
    stream_.expires_after(std::chrono::seconds(kTimeoutSeconds));
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                       if (!error && !self->dropped_) self->answer();
                     });
  }

 private:
  void answer() {
    answering_ = true;
    const auto& request = parser_->get();
    const bool head = request.method() == http::verb::head;
    const bool post = request.method() == http::verb::post;
    HttpAnswer answer;
    if (!head && request.method() != http::verb::get && !(post && server_.max_body_ > 0)) {
      answer = {405, "text/plain; charset=utf-8",
                server_.max_body_ > 0 ? "only GET, HEAD and POST\n" : "only GET and HEAD\n"};
    } else {
      const std::string target(request.target().data(), request.target().size());
      try {
        answer = server_.handler_({post, target.substr(0, target.find('?')), request.body()});
      } catch (const std::exception& error) {  // out of memory, most likely; the agent itself goes on
        answer = {500, "text/plain; charset=utf-8", std::string(error.what()) + "\n"};
      }
    }
    response_ = {};
    response_.result(answer.status);
    response_.version(request.version());
    response_.set(http::field::server, std::string("hbagent/") + kVersion);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.keep_alive(request.keep_alive());
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    http::async_write(stream_, response_, [self = this->shared_from_this()](beast::error_code error, std::size_t) {
      if (!error && !self->dropped_ && self->response_.keep_alive()) self->read();
    });
  }

  Server& server_;
  const Sessions::iterator place_;
  bool answering_ = false;
  bool dropped_ = false;  // and off the list
  beast::basic_stream<Stream> stream_;
  beast::flat_buffer buffer_{kMaxHeader + 4096};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

// A slot for one more. Whoever has waited longest without a whole request has the least to lose: an idle connection of
// a scraper, or a client that sends too slowly to be one. Answers under way are spared as long as that is possible.
void HttpServer::Server::make_room() {
  if (sessions_.size() < static_cast<std::size_t>(kMaxConnections)) return;
  const auto waiting =
      std::find_if(sessions_.begin(), sessions_.end(), [](const Session* session) { return !session->is_answering(); });
  (waiting != sessions_.end() ? *waiting : sessions_.front())->drop();
}

void HttpServer::Server::accept() {
  acceptor_->async_accept([this](boost::system::error_code error, Stream::socket socket) {
    if (error) {  // out of descriptors, most likely: again a little later
      retry_->expires_after(std::chrono::milliseconds(100));
      retry_->async_wait([this](boost::system::error_code) { accept(); });
      return;
    }
    make_room();
    std::make_shared<Session>(*this, std::move(socket))->read();
    accept();
  });
}

HttpServer::HttpServer(const std::string& listen, Handler handler)
    : server_(std::make_unique<Server>(listen, std::move(handler))) {}
HttpServer::HttpServer(UniqueFd socket, RequestHandler handler)
    : server_(std::make_unique<Server>(std::move(socket), std::move(handler))) {}
HttpServer::~HttpServer() = default;
std::string HttpServer::address() const {
  return server_->address();
}

}  // namespace hbagent
