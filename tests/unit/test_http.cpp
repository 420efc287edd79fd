#include "http.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

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

TEST_CASE("idle clients up to the limit do not keep others out for longer than their time") {
  const hbagent::HttpServer server("127.0.0.1:0", echo);
  asio::io_context context;
  std::vector<asio::ip::tcp::socket> idle;
  const auto port = static_cast<std::uint16_t>(std::stoi(server.address().substr(server.address().rfind(':') + 1)));
  for (int i = 0; i < hbagent::HttpServer::kMaxConnections - 1; ++i) {
    idle.emplace_back(context);
    idle.back().connect({asio::ip::make_address("127.0.0.1"), port});
  }
  CHECK_THAT(get(server, "/still"), contains_text("path /still"));
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
