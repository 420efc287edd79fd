// The sink with its server on a free port of the loopback interface; e2e tests show more of HTTP (tests/dashboard).
#include <hbagent/catch.hpp>
#include <hbagent/testing.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <thread>

#include "dashboard_sink.hpp"
#include "listen.hpp"

using namespace hb::dashboard;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

DashboardSink::Config on_free_port() {
  DashboardSink::Config config;
  config.listen = "127.0.0.1:0";
  config.refresh = 100ms;
  return config;
}

// One connection; reads block.
class Client {
 public:
  explicit Client(const DashboardSink& sink) { socket_.connect(parse_listen(sink.address())); }
  void ask(const std::string& target) {
    asio::write(socket_, asio::buffer("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  }
  // What comes up to and with `end`.
  std::string read_to(const std::string& end) {
    const std::size_t size = asio::read_until(socket_, asio::dynamic_buffer(text_), end);
    std::string out = text_.substr(0, size);
    text_.erase(0, size);
    return out;
  }
  // Whether the other side closes the connection, whatever it says first.
  bool reads_to_end() {
    boost::system::error_code error;
    std::array<char, 65536> bytes;
    while (!error) socket_.read_some(asio::buffer(bytes), error);
    return true;
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_{context_};
  std::string text_;
};

void write_one(DashboardSink& sink, const hb::Reading& reading) {
  hb::testing::TestBatch batch({reading});
  sink.write(batch.sink_batch());
}

}  // namespace

TEST_CASE("a viewer sees a reading that is written after it came") {
  hb::testing::TestHost host;
  DashboardSink sink(on_free_port(), host.host());
  sink.open();
  Client client(sink);
  client.ask("/api/v1/stream");
  CHECK(client.read_to("retry: 2000\n\n").find("Content-Type: text/event-stream\r\n") != std::string::npos);
  CHECK(client.read_to("\n\n").find("\"known\":0") != std::string::npos);
  write_one(sink, hb::testing::make_reading("anna", host.host().now_us(), 61));
  while (client.read_to("\n\n").find("\"id\":\"anna\",\"heart_rate\":61") == std::string::npos) continue;
  CHECK(host.gauges().at("viewers") == 1);
  sink.close();
  CHECK(client.reads_to_end());
}

TEST_CASE("two hundred viewers do not hold a stop up, and the next open serves what was there") {
  hb::testing::TestHost host;
  DashboardSink sink(on_free_port(), host.host());
  for (int round = 0; round < 3; ++round) {
    sink.open();
    write_one(sink, hb::testing::make_reading("r" + std::to_string(round), host.host().now_us(), 61));
    std::vector<std::unique_ptr<Client>> viewers;
    for (int i = 0; i < 200; ++i) {
      viewers.push_back(std::make_unique<Client>(sink));
      viewers.back()->ask("/api/v1/stream");
    }
    for (auto& viewer : viewers) {
      viewer->read_to("retry: 2000\n\n");
      CHECK(viewer->read_to("\n\n").find("\"known\":" + std::to_string(round + 1)) != std::string::npos);
    }
    const auto begin = std::chrono::steady_clock::now();
    sink.close();
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
  }
}

TEST_CASE("one viewer more than max_viewers is asked to come again, and gets a place when one has gone") {
  hb::testing::TestHost host;
  auto config = on_free_port();
  config.max_viewers = 1;
  DashboardSink sink(config, host.host());
  sink.open();
  auto first = std::make_unique<Client>(sink);
  first->ask("/api/v1/stream");
  first->read_to("\n\n");
  Client second(sink);
  second.ask("/api/v1/stream");
  const std::string refused = second.read_to("\r\n\r\n");
  CHECK(refused.find("503 Service Unavailable") != std::string::npos);
  CHECK(refused.find("Retry-After: ") != std::string::npos);
  first.reset();
  while (host.gauges().at("viewers") != 0) host.host().wait(1ms);
  Client third(sink);
  third.ask("/api/v1/stream");
  CHECK(third.read_to("\r\n").find("200 OK") != std::string::npos);
}

TEST_CASE("two dashboards serve side by side, and an address that is taken is tried again") {
  hb::testing::TestHost host;
  DashboardSink one(on_free_port(), host.host());
  DashboardSink two(on_free_port(), host.host());
  one.open();
  two.open();
  CHECK(one.address() != two.address());
  auto config = on_free_port();
  config.listen = one.address();
  DashboardSink late(config, host.host());
  CHECK_THROWS_WITH(late.open(), Catch::Contains(one.address()) && Catch::Contains("already in use"));
  CHECK_THROWS_AS(late.open(), hb::Retry);
  late.close();
  one.close();
  late.open();
  CHECK(late.address() == config.listen);
}

TEST_CASE("what cannot be is refused at the start, with what to do") {
  hb::testing::TestHost host;
  const auto refused = [&](auto change, const char* text) {
    auto config = on_free_port();
    change(config);
    CHECK_THROWS_WITH(DashboardSink(config, host.host()), Catch::Contains(text));
    CHECK_THROWS_AS(DashboardSink(config, host.host()), hb::Failed);
  };
  refused([](auto& config) { config.listen = "0.0.0.0:3030"; }, "set a token");
  refused([](auto& config) { config.listen = "[::]:3030"; }, "set a token");
  refused([](auto& config) { config.listen = "nowhere"; }, "listen = \"nowhere\"");
  refused([](auto& config) { config.token = ""; }, "token: must have 16");
  for (const char sign : std::string(" \",;\\+&#%")) {
    refused([&](auto& config) { config.token = std::string("0123456789") + sign + "abcdef"; }, "token: must have 16");
  }
  refused([](auto& config) { config.allowed_hosts = {"a.example:80"}; }, "allowed_hosts");
  refused([](auto& config) { config.low = 120; }, "low");
  refused(
      [](auto& config) {
        config.max_customers = 100'000;
        config.window = 1h;
      },
      "max_customers");
  auto good = on_free_port();
  good.listen = "0.0.0.0:0";
  good.token = "0123456789abcdef~!$()*-./:<=>?@[]^_`{|}'";
  CHECK_NOTHROW(DashboardSink(good, host.host()));
}

TEST_CASE("redelivered readings are duplicates, and customers that make room are told once") {
  hb::testing::TestHost host;
  auto config = on_free_port();
  config.max_customers = 2;
  DashboardSink sink(config, host.host());
  hb::testing::TestBatch batch({hb::testing::make_reading("a", 1, 60), hb::testing::make_reading("a", 1, 60),
                                hb::testing::make_reading("b", 1, 60), hb::testing::make_reading("c", 1, 60),
                                hb::testing::make_reading("d", 1, 60)});
  sink.write(batch.sink_batch());
  write_one(sink, hb::testing::make_reading("e", 1, 60));
  CHECK(batch.verdict(1).verdict == HB_VERDICT_DUPLICATE);
  CHECK(batch.verdict(0).verdict == 0);
  CHECK(host.gauges().at("evicted_customers") == 3);
  CHECK(host.logs().size() == 1);
}
