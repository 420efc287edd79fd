// Where the page is served: "127.0.0.1:3030", "[::1]:3030", "localhost:3030", "0.0.0.0:3030".
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>

namespace hb::dashboard {

// Port 0 takes a free one. "localhost" is 127.0.0.1. Throws hb::Failed, whose text begins with "listen".
boost::asio::ip::tcp::endpoint parse_listen(const std::string& listen);

// "127.0.0.1:3030", "[::1]:3030".
std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace hb::dashboard
