// One connection of the server: requests one after the other, or a viewer of the stream. Keeps itself alive by its own
// handlers, which all run on the server's thread.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "server.hpp"

namespace hb::dashboard {

class Session : public std::enable_shared_from_this<Session> {
 public:
  static constexpr std::uint32_t kMaxHeader = 8 * 1024;
  static constexpr std::chrono::seconds kHeaderTime{10};    // to send the header section
  static constexpr std::chrono::seconds kIdleTime{30};      // between two requests
  static constexpr std::chrono::seconds kAnswerTime{30};    // to take an answer
  static constexpr std::chrono::seconds kSnapshotTime{10};  // to take one snapshot of the stream
  static constexpr std::chrono::seconds kLingerTime{2};     // to take an answer after which the connection is closed

  enum class State { waiting, answering, viewing, dropped };

  Session(Server& server, boost::asio::ip::tcp::socket socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() { read_header(); }
  State state() const { return state_; }
  // Ends the connection; whatever it waits for ends.
  void drop();
  // Viewers: a new snapshot. While one is under way the newest waits, and one that waited before is left out.
  void offer(std::shared_ptr<const Frame> frame);

 private:
  using ErrorCode = boost::beast::error_code;

  void wait_for_request();
  void read_header();
  void on_header(ErrorCode error);
  void answer();
  Answer answer_of(bool head);
  void send(Answer answer, bool with_body, bool keep_alive);
  void linger();
  void discard_rest();
  void begin_stream();
  void watch();
  void send_frame();

  Server& server_;
  const std::list<Session*>::iterator place_;
  State state_ = State::waiting;
  bool viewer_ = false;  // on the server's list of viewers
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_{kMaxHeader + 4096};
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  std::string head_;
  Answer answer_;
  std::shared_ptr<const Frame> waiting_frame_;
  std::shared_ptr<const Frame> frame_under_way_;
  bool writing_ = false;
  std::array<char, 512> discarded_{};
  std::size_t discarded_size_ = 0;
};

}  // namespace hb::dashboard
