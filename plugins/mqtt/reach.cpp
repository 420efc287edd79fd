#include "reach.hpp"

#include <hbagent/host.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "tls_context.hpp"

namespace hb::bridge {
namespace {

using Clock = std::chrono::steady_clock;

// Whoever speaks TLS answers at once, and others wait for more.
constexpr std::chrono::seconds kProbe{3};

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { reset(-1); }
  void reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// False: the time is up.
bool wait_until(int fd, short events, Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd wanted{fd, events, 0};
  return left > 0 && ::poll(&wanted, 1, static_cast<int>(left)) > 0;
}

// 0, or the errno of the failure.
int connect_to(const addrinfo& address, Socket& socket, Clock::time_point deadline) {
  socket.reset(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return errno;
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_until(socket.get(), POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

std::string connect_to(const Endpoint& endpoint, Socket& socket, Clock::time_point deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  if (const int error = ::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return "the host name " + endpoint.host + " cannot be resolved: " + gai_strerror(error);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    error = connect_to(*each, socket, deadline);
    if (error == 0) return {};
  }
  return std::string(error == ETIMEDOUT ? "no answer" : std::strerror(error));
}

using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

std::string names_of(X509* certificate) {
  std::string names;
  constexpr std::size_t kLongest = 200;
  const auto add = [&](std::string_view name) {
    if (names.size() + name.size() > kLongest) return;
    if (!names.empty()) names += ", ";
    names += name;
  };
  auto* const alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type != GEN_DNS) continue;
    add({reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
         static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))});
  }
  GENERAL_NAMES_free(alternatives);
  if (!names.empty()) return names;
  std::array<char, 256> subject{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, subject.data(), subject.size());
  return subject.data();
}

// For OpenSSL, which forgets a certificate that it does not accept: whose it is, into the session's string.
int keep_names(int is_accepted, X509_STORE_CTX* store) {
  if (is_accepted == 1) return is_accepted;
  const auto* const session =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  *static_cast<std::string*>(SSL_get_app_data(session)) = names_of(X509_STORE_CTX_get0_cert(store));
  return is_accepted;
}

std::string why_not_verified(SSL* session, const std::string& names, const Endpoint& endpoint, const TlsConfig& tls) {
  const long result = SSL_get_verify_result(session);
  const std::string whom = "the certificate of " + endpoint.host_and_port();
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return whom + " has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return whom + " is not valid yet; is this machine's clock right?";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return whom + " is not that host's" + (names.empty() ? std::string() : " but for " + names);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return whom + " is signed by none of the authorities in " +
             (tls.ca_file.empty() ? "the system's trust store; name the right one in tls.ca_file"
                                  : "tls.ca_file = \"" + tls.ca_file + '"');
    default:
      return whom + " cannot be trusted: " + X509_verify_cert_error_string(result);
  }
}

// One step of the handshake or of a read, until it ends; the result of SSL_get_error, or nothing where time is up.
template <class Step>
int drive(SSL* session, int fd, Clock::time_point deadline, const Step& step) {
  for (;;) {
    ERR_clear_error();
    const int done = step();
    if (done > 0) return SSL_ERROR_NONE;
    const int error = SSL_get_error(session, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return error;
    if (!wait_until(fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) return SSL_ERROR_WANT_READ;
  }
}

// Whether the newest error is what the other side says in TLS, and not that it says something else.
bool is_alert() {
  return ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET;
}

// Whether TLS is spoken there; whose certificate it is, is no matter.
bool speaks_tls(const Endpoint& endpoint, int fd, Clock::time_point deadline) {
  const TlsConfig nothing_asked;
  const TlsContext context = make_tls_context(nothing_asked);
  const Session session(SSL_new(context.get()), &SSL_free);
  if (!session || SSL_set_fd(session.get(), fd) != 1) return false;
  SSL_set_tlsext_host_name(session.get(), endpoint.host.c_str());
  const int shaken = drive(session.get(), fd, deadline, [&] { return SSL_connect(session.get()); });
  return shaken == SSL_ERROR_NONE || (shaken == SSL_ERROR_SSL && is_alert());
}

std::string shake_hands(const Endpoint& endpoint, const TlsConfig& tls, int fd, Clock::time_point deadline) {
  const TlsContext context = make_tls_context(tls);
  std::string names;
  const Session session(SSL_new(context.get()), &SSL_free);
  if (!session || SSL_set_fd(session.get(), fd) != 1) return "no memory for TLS";
  if (tls.verify) {
    SSL_set_app_data(session.get(), &names);
    SSL_set_verify(session.get(), SSL_VERIFY_PEER, keep_names);
    X509_VERIFY_PARAM* const parameters = SSL_get0_param(session.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, endpoint.host.c_str()) != 1) {
      SSL_set1_host(session.get(), endpoint.host.c_str());
      SSL_set_tlsext_host_name(session.get(), endpoint.host.c_str());
    }
  }
  const int shaken = drive(session.get(), fd, deadline, [&] { return SSL_connect(session.get()); });
  const std::string without = std::string("; does that port speak TLS? One that does not is ") +
                              (endpoint.scheme == "wss" ? "ws://" : "tcp://");
  if (shaken == SSL_ERROR_WANT_READ) return "no answer to the TLS handshake" + without;
  if (shaken != SSL_ERROR_NONE) {
    if (tls.verify && SSL_get_verify_result(session.get()) != X509_V_OK) {
      return why_not_verified(session.get(), names, endpoint, tls);
    }
    return "the TLS handshake failed: " + first_tls_error("the connection was closed") +
           (shaken == SSL_ERROR_SSL && is_alert() ? "" : without);
  }
  // TLS 1.3 refuses a client's certificate only after the handshake.
  char byte = 0;
  const auto soon = std::min(deadline, Clock::now() + std::chrono::milliseconds(300));
  const int read = drive(session.get(), fd, soon, [&] { return SSL_read(session.get(), &byte, 1); });
  if (read == SSL_ERROR_SSL) {
    return "the broker refuses the TLS connection: " + first_tls_error("unknown") +
           (tls.cert_file.empty() ? "; it may want a client certificate (tls.cert_file)" : "");
  }
  return {};
}

}  // namespace

std::string why_unreachable(const Endpoint& endpoint, const TlsConfig& tls, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  Socket socket;
  if (std::string why = connect_to(endpoint, socket, deadline); !why.empty()) return why;
  if (!endpoint.is_tls()) {
    const auto soon = std::min(deadline, Clock::now() + kProbe);
    if (!speaks_tls(endpoint, socket.get(), soon)) return {};
    return "that port speaks TLS: use " + std::string(endpoint.scheme == "ws" ? "wss://" : "ssl://") +
           endpoint.host_and_port() + endpoint.path;
  }
  try {
    return shake_hands(endpoint, tls, socket.get(), deadline);
  } catch (const Failed& error) {  // files that are being replaced, one after the other, are no reason to give up
    return error.what();
  }
}

}  // namespace hb::bridge
