#include "endpoint.hpp"

#include <hbagent/catch.hpp>
#include <hbagent/host.hpp>

#include <string>

namespace hb::bridge {
namespace {

std::string why_not(const std::string& server) {
  try {
    static_cast<void>(parse_endpoint(server));
  } catch (const Failed& error) {
    return error.what();
  }
  return {};
}

TEST_CASE("an address names its scheme, host, port and path", "[endpoint]") {
  CHECK(parse_endpoint("tcp://broker.local:1884").uri() == "tcp://broker.local:1884");
  CHECK(parse_endpoint("mqtt://broker").uri() == "tcp://broker:1883");
  CHECK(parse_endpoint("mqtts://broker").uri() == "ssl://broker:8883");
  CHECK(parse_endpoint("ssl://broker/").uri() == "ssl://broker:8883");
  CHECK(parse_endpoint("ws://broker/mqtt").uri() == "ws://broker:80/mqtt");
  CHECK(parse_endpoint("wss://broker").uri() == "wss://broker:443");
  CHECK(parse_endpoint("tcp://[::1]:1883").host == "::1");
  CHECK(parse_endpoint("tcp://[::1]").uri() == "tcp://[::1]:1883");
  CHECK(parse_endpoint("MQTTS://Broker").uri() == "ssl://Broker:8883");
  CHECK(parse_endpoint("wss://broker").is_tls());
  CHECK_FALSE(parse_endpoint("ws://broker").is_tls());
}

TEST_CASE("a wrong address is refused with what is wrong", "[endpoint]") {
  CHECK(why_not("broker:1883").find("write it as tcp://host:1883") != std::string::npos);
  CHECK(why_not("http://broker").find("the scheme must be") != std::string::npos);
  CHECK(why_not("tcp://broker:0").find("from 1 to 65535") != std::string::npos);
  CHECK(why_not("tcp://broker:70000").find("from 1 to 65535") != std::string::npos);
  CHECK(why_not("tcp://broker:18x3").find("from 1 to 65535") != std::string::npos);
  CHECK(why_not("tcp://").find("the host is missing") != std::string::npos);
  CHECK(why_not("tcp://broker/path").find("only ws:// and wss:// have a path") != std::string::npos);
  CHECK(why_not("tcp://::1:1883").find("in brackets") != std::string::npos);
  CHECK(why_not("tcp://[::1").find("a ] is missing") != std::string::npos);
  CHECK(why_not("tcp://local host:1883").find("\"local host\" is no host") != std::string::npos);
  CHECK(why_not("tcp://a,b").find("is no host") != std::string::npos);
  for (const char* const server : {"tcp://user:hunter2@broker", "tcp://user:hunter2@broker/x",
                                   "http://user:hunter2@broker", "user:hunter2@broker"}) {
    const std::string secret = why_not(server);
    CHECK(secret.find("use the options username and password") != std::string::npos);
    CHECK(secret.find("hunter2") == std::string::npos);
  }
}

}  // namespace
}  // namespace hb::bridge
