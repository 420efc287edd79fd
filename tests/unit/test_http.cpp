#include "http.hpp"

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <deque>
#include <thread>

#include "support/catch.hpp"

namespace {

namespace asio = boost::asio;

// Sends raw bytes and reads until the server closes.
std::string exchange(const std::string& address, const std::string& request) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  socket.connect({asio::ip::make_address("127.0.0.1"), port});
  asio::write(socket, asio::buffer(request));
  std::string answer;
  boost::system::error_code end;
  asio::read(socket, asio::dynamic_buffer(answer), end);
  return answer;
}

std::string get(const hbagent::HttpServer& server, const std::string& target, const std::string& method = "GET") {
  return exchange(server.address(), method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

// Clients that take their time: connections that stay open, by the order in which they were made.
class SlowClients {
 public:
  explicit SlowClients(const std::string& address)
      : port_(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))) {}

  void connect(const std::string& beginning) {
    clients_.emplace_back(context_).connect({asio::ip::make_address("127.0.0.1"), port_});
    send(clients_.size() - 1, beginning);
  }
  void send(std::size_t client, const std::string& bytes) { asio::write(clients_[client], asio::buffer(bytes)); }
  // What comes before the server closes.
  std::string read_to_end(std::size_t client) {
    std::string answer;
    boost::system::error_code end;
    asio::read(clients_[client], asio::dynamic_buffer(answer), end);
    return answer;
  }
  // A short answer; the connection stays open.
  std::string read_some(std::size_t client) {
    std::string answer(4096, '\0');
    boost::system::error_code end;
    answer.resize(clients_[client].read_some(asio::buffer(answer), end));
    return answer;
  }

 private:
  asio::io_context context_;
  std::uint16_t port_;
  std::deque<asio::ip::tcp::socket> clients_;
};

hbagent::HttpAnswer echo(const std::string& path) {
  return {200, "text/plain", "path " + path};
}

}  // namespace

TEST_CASE("paths are answered, queries left out, other methods refused") {
  const hbagent::HttpServer server("127.0.0.1:0", echo);
  CHECK_THAT(get(server, "/metrics?x=1"), contains_text("200 OK") && contains_text("\r\n\r\npath /metrics"));
  CHECK_THAT(get(server, "/metrics", "HEAD"), contains_text("Content-Length: 13"));
  CHECK_THAT(get(server, "/metrics", "HEAD"), !contains_text("path /metrics"));
  CHECK_THAT(get(server, "/metrics", "DELETE"), contains_text("405"));
}

TEST_CASE("garbage and oversized requests end their own connection only") {
  const hbagent::HttpServer server("127.0.0.1:0", echo);
  CHECK(exchange(server.address(), "\x16\x03\x01 not http at all\r\n\r\n").find("200") == std::string::npos);
  CHECK(exchange(server.address(), "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n").find("200") ==
        std::string::npos);
  CHECK_THAT(get(server, "/again"), contains_text("path /again"));
}

TEST_CASE("however many clients connect and send nothing or little, a request is answered at once") {
  const hbagent::HttpServer server("127.0.0.1:0", echo);
  constexpr std::size_t kSlow = 3 * hbagent::HttpServer::kMaxConnections;
  const auto start = std::chrono::steady_clock::now();
  SlowClients slow(server.address());
  for (std::size_t i = 0; i < kSlow; ++i) slow.connect(i % 2 == 0 ? "" : "GET /heal");
  CHECK_THAT(get(server, "/healthz"), contains_text("path /healthz"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(hbagent::HttpServer::kTimeoutSeconds) / 4);

  // Those who waited longest made room, the others are still served.
  for (std::size_t i = 0; i <= kSlow - hbagent::HttpServer::kMaxConnections; ++i) CHECK(slow.read_to_end(i).empty());
  slow.send(kSlow - 1, "thy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK_THAT(slow.read_to_end(kSlow - 1), contains_text("path /healthy"));
}

TEST_CASE("an answer under way is not cut off for clients that send nothing") {
  // More than the kernel keeps for both ends: it is under way until it is read.
  const std::string body(64 << 20, 'x');
  std::atomic<int> asked = 0;
  const hbagent::HttpServer server("127.0.0.1:0", [&](const std::string& path) {
    ++asked;
    return path == "/large" ? hbagent::HttpAnswer{200, "text/plain", body} : echo(path);
  });
  SlowClients slow(server.address());
  slow.connect("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  while (asked == 0) std::this_thread::yield();
  for (int i = 0; i < 2 * hbagent::HttpServer::kMaxConnections; ++i) slow.connect("");
  CHECK_THAT(get(server, "/healthz"), contains_text("path /healthz"));
  CHECK(slow.read_to_end(0).size() > body.size());
}

TEST_CASE("a client that keeps its connection makes room while it asks nothing") {
  const hbagent::HttpServer server("127.0.0.1:0", echo);
  SlowClients slow(server.address());
  slow.connect("GET /first HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_THAT(slow.read_some(0), contains_text("path /first"));
  slow.connect("");
  // Asking again makes the first one the younger of the two.
  slow.send(0, "GET /second HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_THAT(slow.read_some(0), contains_text("path /second"));
  for (int i = 1; i < hbagent::HttpServer::kMaxConnections; ++i) slow.connect("");
  CHECK(slow.read_to_end(1).empty());
  slow.send(0, "GET /third HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_THAT(slow.read_some(0), contains_text("path /third"));
}

TEST_CASE("an address that cannot be used is refused with what to do") {
  using hbagent::HttpServer;
  for (const char* wrong : {"9464", "localhost", "127.0.0.1:99999", "nowhere:80", "127.0.0.1:"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(HttpServer(wrong, echo), contains_text("is no \"address:port\""));
  }
  const HttpServer first("127.0.0.1:0", echo);
  CHECK_THROWS_WITH(HttpServer(first.address(), echo),
                    contains_text("already in use") && contains_text("choose another"));
}
