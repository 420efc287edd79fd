#include "control_client.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "control.hpp"
#include "local_socket.hpp"

namespace hbagent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::chrono::seconds kTimeout{10};
constexpr std::uint64_t kMaxAnswer = 64 << 20;

}  // namespace

std::optional<ControlClient::Answer> ControlClient::ask(const std::string& method, const std::string& path,
                                                        const std::string& body) const {
  const std::string where = (data_dir_ / kControlSocket).string();
  UniqueFd fd;
  try {
    fd = connect_locally(data_dir_, kControlSocket);
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    if (code == ENOENT || code == ECONNREFUSED || code == ENOTDIR) return std::nullopt;
    if (code == EACCES) throw std::runtime_error(fmt::format("{}: run this as the agent's user", error.what()));
    throw std::runtime_error(error.what());
  }
  asio::io_context context;
  asio::local::stream_protocol::socket socket(context);
  socket.assign(asio::local::stream_protocol(), fd.get());
  fd.release();

  http::request<http::string_body> request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, "agent");
  request.body() = body;
  request.prepare_payload();
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> response;
  response.body_limit(kMaxAnswer);
  boost::system::error_code failure = asio::error::timed_out;
  http::async_write(socket, request, [&](boost::system::error_code written, std::size_t) {
    if (written) {
      failure = written;
      return;
    }
    http::async_read(socket, buffer, response, [&](boost::system::error_code read, std::size_t) { failure = read; });
  });
  context.run_for(kTimeout);
  if (failure == asio::error::timed_out) {
    throw std::runtime_error(fmt::format("the agent does not answer on {} within {} s", where, kTimeout.count()));
  }
  if (failure) throw std::runtime_error(fmt::format("the agent broke off on {}: {}", where, failure.message()));
  return Answer{response.get().result_int(), std::move(response.get().body())};
}

}  // namespace hbagent
