#include "listen.hpp"

#include <hbagent/host.hpp>

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstdint>

namespace hb::dashboard {

boost::asio::ip::tcp::endpoint parse_listen(const std::string& listen) {
  const Failed wrong("listen = \"" + listen +
                     "\" is no \"address:port\", such as \"127.0.0.1:3030\" or \"[::1]:3030\"");
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) throw wrong;
  std::string host = listen.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  std::uint16_t port = 0;
  const char* const end = listen.data() + listen.size();
  const auto [parsed, error] = std::from_chars(listen.data() + colon + 1, end, port);
  boost::system::error_code bad_address;
  const auto address = boost::asio::ip::make_address(host, bad_address);
  if (error != std::errc() || parsed != end || bad_address || address.is_v6() != bracketed) throw wrong;
  return {address, port};
}

std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

}  // namespace hb::dashboard
