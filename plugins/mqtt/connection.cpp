#include "connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "reach.hpp"
#include "refusal.hpp"
#include "tls_context.hpp"

namespace hb::bridge {
namespace {

using namespace std::chrono_literals;

constexpr auto kSlice = 100ms;
constexpr auto kGoodbye = 1s;
constexpr auto kDiagnosis = 5s;
// Two clients of one name throw each other out; each stays as long as the other one waits to try again (`retry_max`).
constexpr auto kBriefly = 60s;

// The sessions that this process has: a second connection of the same name would end the first one's session.
std::mutex sessions_mutex;
std::set<std::string> sessions;  // guarded by sessions_mutex

bool claim_session(const std::string& name) {
  const std::lock_guard lock(sessions_mutex);
  return sessions.insert(name).second;
}

void release_session(const std::string& name) {
  const std::lock_guard lock(sessions_mutex);
  sessions.erase(name);
}

int version_of(const ConnectionConfig& config) {
  return config.version == Version::v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
}

// Paho writes lines about each message into a buffer in memory, which costs about as much as all that this plugin does
// with it; nobody reads them unless this variable is set.
void silence_trace() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv("MQTT_C_CLIENT_TRACE") == nullptr) MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
  });
}

std::uint16_t port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

// Shuts this process's connections to that port, or all of them; returns how many. Needs no descriptor of its own.
int shut_connections(std::optional<std::uint16_t> port) noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  int shut = 0;
  for (int fd = 0; static_cast<rlim_t>(fd) < limit.rlim_cur; ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) continue;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) continue;
    if ((!port || port_of(peer) == *port) && ::shutdown(fd, SHUT_RDWR) == 0) ++shut;
  }
  return shut;
}

}  // namespace

Connection::Connection(const ConnectionConfig& config, hb::Host host)
    : config_(config), host_(host), endpoint_(parse_endpoint(config.server)) {
  if (config_.client_id.empty()) throw Failed("client_id is empty: the session needs a name that stays");
  if (!config_.password.empty() && config_.username.empty()) throw Failed("password without username");
  if (config_.status_topic.find_first_of("+#{}") != std::string::npos) {
    throw Failed("status_topic = \"" + config_.status_topic + "\": it is published to, so it has no +, #, { or }");
  }
  check_tls(config_.tls, endpoint_);
}

Connection::~Connection() {
  close();
}

paho::connect_options Connection::make_options(const Session& session) const {
  paho::connect_options options;
  options.set_mqtt_version(version_of(config_));
  options.set_keep_alive_interval(static_cast<int>(config_.keep_alive.count()));
  options.set_connect_timeout(static_cast<int>(config_.connect_timeout.count()));
  options.set_max_inflight(session.max_in_flight);
  if (config_.version == Version::v5) {
    options.set_clean_start(!session.persistent);
    paho::properties properties;
    if (session.persistent) {
      properties.add({paho::property::SESSION_EXPIRY_INTERVAL, seconds_value(session.expiry)});
    }
    if (session.receive_maximum) {
      properties.add({paho::property::RECEIVE_MAXIMUM,
                      static_cast<std::int16_t>(static_cast<std::uint16_t>(*session.receive_maximum))});
    }
    options.set_properties(std::move(properties));
  } else {
    options.set_clean_session(!session.persistent);
  }
  if (!config_.username.empty()) options.set_user_name(config_.username);
  if (!config_.password.empty()) options.set_password(config_.password);
  if (!config_.status_topic.empty() && !host_.state_dir().empty()) {
    options.set_will_message(paho::message(config_.status_topic, "{\"status\":\"offline\"}", 1, true));
  }
  if (endpoint_.is_tls()) {
    paho::ssl_options tls;
    if (!config_.tls.ca_file.empty()) tls.set_trust_store(config_.tls.ca_file);
    if (!config_.tls.cert_file.empty()) {
      tls.set_key_store(config_.tls.cert_file);
      tls.set_private_key(config_.tls.key_file.empty() ? config_.tls.cert_file : config_.tls.key_file);
      if (!config_.tls.key_password.empty()) tls.set_private_key_password(config_.tls.key_password);
    }
    tls.set_enable_server_cert_auth(config_.tls.verify);
    tls.set_verify(config_.tls.verify);
    if (!config_.tls.alpn.empty()) tls.set_alpn_protos(config_.tls.alpn);
    options.set_ssl(std::move(tls));
  }
  return options;
}

void Connection::open(const Session& session, OnMessage on_message) {
  close();
  {
    const std::lock_guard lock(mutex_);
    lost_.clear();
    woken_ = false;
    opened_at_ = std::chrono::steady_clock::now();
  }
  // `check --connect` must not take over the session of an agent that runs.
  const bool only_tried = host_.state_dir().empty();
  const std::string client_id = only_tried ? config_.client_id + "-check" : config_.client_id;
  Session wanted = session;
  if (only_tried) wanted.persistent = false;

  // A batch is handed to Paho as a whole, and bounds what waits there.
  const std::string session_name = endpoint_.uri() + ' ' + client_id;
  if (!claim_session(session_name)) {
    throw Retry("another source or sink of this agent is connected to " + endpoint_.host_and_port() +
                " with client_id = \"" + client_id + "\": give each its own");
  }
  session_name_ = session_name;
  silence_trace();
  paho::create_options created(version_of(config_), std::numeric_limits<int>::max());
  client_ = std::make_unique<paho::async_client>(endpoint_.uri(), client_id, created);
  // All of them before connect: once it has begun, messages come.
  client_->set_message_callback([on_message = std::move(on_message)](const paho::const_message_ptr& message) {
    if (message) on_message(*message);
  });
  client_->set_connection_lost_handler([this](const std::string& why) { why.empty() ? lose_silently() : lose(why); });
  client_->set_disconnected_handler(
      [this](const paho::properties&, paho::ReasonCode code) { lose(why_disconnected(code, config_)); });
  if (endpoint_.is_tls() && !config_.tls.verify) {
    host_.warn("tls.verify = false: nobody checks that " + endpoint_.host_and_port() +
               " is the broker it claims to be");
  }
  try {
    const auto token = client_->connect(make_options(wanted));
    wait_connected(token);
    session_was_present_ = token->get_connect_response().is_session_present();
  } catch (const paho::exception& error) {
    fail_to_connect(error);
  }
  is_open_ = true;
}

void Connection::announce() {
  if (!host_.state_dir().empty()) publish_status("online");
}

void Connection::wait_connected(const paho::token_ptr& token) {
  // Paho has the same limit and is to say what happened; this one is for the case that it does not.
  const auto deadline = std::chrono::steady_clock::now() + config_.connect_timeout + 2s;
  while (!token->wait_for(kSlice)) {
    if (host_.stopping()) throw Retry("stopping while the connection was being made");
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Retry("no answer from " + endpoint_.host_and_port() + " in connect_timeout");
    }
  }
}

void Connection::fail_to_connect(const paho::exception& error) const {
  if (const std::string refused = why_refused(error, config_); !refused.empty()) {
    throw Retry(endpoint_.host_and_port() + ": " + refused);
  }
  if (host_.stopping()) throw Retry("stopping while the connection was being made");
  const std::string why =
      why_unreachable(endpoint_, config_.tls, std::min<std::chrono::milliseconds>(config_.connect_timeout, kDiagnosis));
  throw Retry("cannot connect to " + endpoint_.host_and_port() + ": " +
              (why.empty() ? "the broker accepts the connection, but not the MQTT login (" + std::string(error.what()) +
                                 "); does that port speak " + (endpoint_.path.empty() ? "MQTT" : "websockets") + '?'
                           : why));
}

void Connection::publish_status(const char* status) {
  if (config_.status_topic.empty()) return;
  try {
    const std::string text = std::string("{\"status\":\"") + status + "\"}";
    const auto token = client_->publish(paho::make_message(config_.status_topic, text, 1, true));
    if (std::string_view(status) == "offline") static_cast<void>(token->wait_for(kGoodbye));
  } catch (const paho::exception& error) {
    host_.warn("the status could not be published to " + config_.status_topic + ": " + text_of(error));
  }
}

void Connection::close() noexcept {
  if (!session_name_.empty()) disconnect();
}

void Connection::disconnect() noexcept {
  if (client_ && is_open_ && lost().empty()) {
    try {
      if (!host_.state_dir().empty()) publish_status("offline");
      static_cast<void>(client_->disconnect(0)->wait_for(kGoodbye));
    } catch (const std::exception& error) {  // it is lost, then
      host_.debug(std::string("while disconnecting: ") + error.what());
    }
  }
  is_open_ = false;
  client_.reset();
  release_session(session_name_);
  session_name_.clear();
}

void Connection::sever() const noexcept {
  // A proxy has another port than the broker. Whatever it is, it must not stay: a lost connection costs nothing, an
  // acknowledgement of what nobody has does.
  if (shut_connections(endpoint_.port) == 0) shut_connections(std::nullopt);
}

void Connection::lose(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (lost_.empty()) lost_ = why;  // the first says most
  }
  changed_.notify_all();
}

// The broker closed the connection, or the network did, and nobody said why. Many brokers tell not even an MQTT 5
// client that its session was taken over.
void Connection::lose_silently() {
  std::string why = "the connection to " + endpoint_.host_and_port() + " was lost";
  {
    const std::lock_guard lock(mutex_);
    const bool is_brief = std::chrono::steady_clock::now() - opened_at_ < kBriefly;
    if (std::exchange(was_brief_, is_brief) && is_brief) {
      why += " again soon after it was made; has another client the same client_id = \"" + config_.client_id + "\"?";
    }
  }
  lose(why);
}

std::string Connection::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void Connection::wait_for(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return woken_ || !lost_.empty(); });
  woken_ = false;
}

void Connection::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

}  // namespace hb::bridge
