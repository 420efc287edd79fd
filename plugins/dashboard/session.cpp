#include "session.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

namespace hb::dashboard {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t kMostDiscarded = 256 * 1024;  // of what a client sends that nobody reads
constexpr int kStreamBuffer = 128 * 1024;           // in the kernel for each viewer: some snapshots

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

bool is_too_large(const boost::beast::error_code& error) {
  return error == http::error::header_limit || error == http::error::buffer_overflow;
}

// What the parser says of bytes that it got, rather than of the connection.
bool is_bad_request(const boost::beast::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_target).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

Session::Session(Server& server, asio::ip::tcp::socket socket)
    : server_(server), place_(server.enter(*this)), stream_(std::move(socket)) {}

Session::~Session() {
  if (viewer_) server_.part(*this);
  server_.leave(place_);
}

void Session::drop() {
  state_ = State::dropped;
  stream_.close();
}

void Session::wait_for_request() {
  state_ = State::waiting;
  server_.wait_again(place_);
  if (buffer_.size() > 0) return read_header();
  stream_.expires_after(kIdleTime);
  stream_.async_read_some(buffer_.prepare(1024), [self = shared_from_this()](ErrorCode error, std::size_t size) {
    if (error) return;
    self->buffer_.commit(size);
    self->read_header();
  });
}

void Session::read_header() {
  parser_.emplace();
  parser_->header_limit(kMaxHeader);
  stream_.expires_after(kHeaderTime);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_header(error); });
}

void Session::on_header(ErrorCode error) {
  state_ = State::answering;
  if (!error) {
    answer();
  } else if (is_too_large(error)) {
    send(refusal(431, "the header section is longer than 8 KiB"), true, false);
  } else if (is_bad_request(error)) {
    send(refusal(400, "this is no HTTP request"), true, false);
  }
}

void Session::answer() {
  const auto& request = parser_->get();
  const bool head = request.method() == http::verb::head;
  Answer answer = answer_of(head);
  // A body is never read: nobody can tell where the next request would begin.
  const bool has_body = !parser_->is_done();  // after the header: one that is chunked, or whose length is not 0
  if (!answer.stream) return send(std::move(answer), !head, request.keep_alive() && !has_body && answer.status != 405);
  if (head) return send(std::move(answer), false, false);
  answer_ = std::move(answer);
  begin_stream();
}

Answer Session::answer_of(bool head) {
  const auto& message = parser_->get();
  if (!head && message.method() != http::verb::get) {
    Answer answer = refusal(405, "only GET and HEAD");
    answer.headers += "Allow: GET, HEAD\r\n";
    return answer;
  }
  if (message.count(http::field::host) != 1) return refusal(400, "one Host header is needed");
  Request request;
  request.head = head;
  request.target = view(message.target());
  request.host = view(message[http::field::host]);
  request.authorization = view(message[http::field::authorization]);
  request.cookie = view(message[http::field::cookie]);
  request.accept_encoding = view(message[http::field::accept_encoding]);
  request.if_none_match = view(message[http::field::if_none_match]);
  try {
    return server_.router().answer(request);
  } catch (const std::exception& error) {  // out of memory, most likely; the agent itself goes on
    return refusal(500, error.what());
  }
}

void Session::send(Answer answer, bool with_body, bool keep_alive) {
  answer_ = std::move(answer);
  head_ = head_of(answer_, keep_alive);
  const std::string_view body = with_body ? answer_.body() : std::string_view();
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head_), asio::buffer(body.data(), body.size())};
  stream_.expires_after(kAnswerTime);
  asio::async_write(stream_, parts, [self = shared_from_this(), keep_alive](ErrorCode error, std::size_t) {
    if (error) return;
    self->answer_ = {};
    keep_alive ? self->wait_for_request() : self->linger();
  });
}

// What the client sends until it sees the end is read: a close with something unread would tear down the answer, too.
void Session::linger() {
  ErrorCode ignored;  // the client is gone then
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLingerTime);
  discard_rest();
}

void Session::discard_rest() {
  stream_.async_read_some(asio::buffer(discarded_), [self = shared_from_this()](ErrorCode error, std::size_t size) {
    self->discarded_size_ += size;
    if (!error && self->discarded_size_ < kMostDiscarded) self->discard_rest();
  });
}

void Session::begin_stream() {
  state_ = State::viewing;
  ErrorCode ignored;  // a larger buffer only means that a slow viewer is noticed later
  stream_.socket().set_option(asio::socket_base::send_buffer_size(kStreamBuffer), ignored);
  head_ = head_of(answer_, false) + "retry: 2000\n\n";
  viewer_ = true;
  if (!server_.join(*this)) {
    viewer_ = false;
    state_ = State::answering;
    Answer full = refusal(503, "there are as many viewers as max_viewers allows");
    full.headers += "Retry-After: 5\r\n";
    return send(std::move(full), true, false);
  }
  stream_.expires_never();
  watch();
}

// Notices a viewer that goes away; what it sends is nothing to us.
void Session::watch() {
  stream_.async_read_some(asio::buffer(discarded_), [self = shared_from_this()](ErrorCode error, std::size_t size) {
    self->discarded_size_ += size;
    if (error || self->discarded_size_ > kMostDiscarded) return self->drop();
    self->watch();
  });
}

void Session::offer(std::shared_ptr<const Frame> frame) {
  waiting_frame_ = std::move(frame);
  if (!writing_) send_frame();
}

void Session::send_frame() {
  writing_ = true;
  frame_under_way_ = std::move(waiting_frame_);
  waiting_frame_ = nullptr;
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head_), asio::buffer(frame_under_way_->event)};
  stream_.expires_after(kSnapshotTime);
  asio::async_write(stream_, parts, [self = shared_from_this()](ErrorCode error, std::size_t) {
    self->writing_ = false;
    self->head_.clear();
    if (error) return self->drop();
    if (self->waiting_frame_ != nullptr) self->send_frame();
  });
}

}  // namespace hb::dashboard
