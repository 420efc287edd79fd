#include "tls_context.hpp"

#include <hbagent/host.hpp>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509err.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

namespace hb::bridge {
namespace {

constexpr std::size_t kMaxProtocol = 255;  // RFC 7301, section 3.1

[[noreturn]] void refuse(const char* key, const std::string& file, const std::string& why) {
  throw Failed("tls." + std::string(key) + " = \"" + file + "\": " + why);
}

// OpenSSL says no more of such a file than "system lib".
void check_readable(const char* key, const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse(key, file, std::strerror(errno));
  struct stat found {};
  const bool is_folder = ::fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
  ::close(fd);
  if (is_folder) refuse(key, file, "is a folder; name a file (PEM)");
}

int give_password(char* buffer, int size, int, void* text) {
  const auto& password = *static_cast<const std::string*>(text);
  if (password.size() > static_cast<std::size_t>(size)) return 0;
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}

// Of a key in PEM: either form names it (RFC 1421, section 4.6.1.1; RFC 7468, section 11).
bool is_encrypted(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    if (line.find("ENCRYPTED") != std::string::npos) return true;
  }
  return false;
}

bool has_failed_with(int library, int reason) {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == library && ERR_GET_REASON(error) == reason;
}

void use_key(SSL_CTX* context, const TlsConfig& tls) {
  const std::string& key = tls.key_file.empty() ? tls.cert_file : tls.key_file;
  check_readable(tls.key_file.empty() ? "cert_file" : "key_file", key);
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1) return;
  if (has_failed_with(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH)) {
    throw Failed("tls.key_file = \"" + key + "\": is not the key of tls.cert_file = \"" + tls.cert_file + '"');
  }
  if (is_encrypted(key)) {
    throw Failed(tls.key_password.empty() ? "tls.key_file = \"" + key + "\": is encrypted; give tls.key_password"
                                          : "tls.key_password: does not open \"" + key + '"');
  }
  if (tls.key_file.empty()) {
    throw Failed("tls.key_file: is missing, and tls.cert_file = \"" + key + "\" holds no private key");
  }
  refuse("key_file", key, "holds no private key in PEM");
}

// As the handshake has it: each name behind its length.
std::vector<unsigned char> wire_form(const std::vector<std::string>& protocols) {
  std::vector<unsigned char> wire;
  for (const std::string& protocol : protocols) {
    wire.push_back(static_cast<unsigned char>(protocol.size()));
    wire.insert(wire.end(), protocol.begin(), protocol.end());
  }
  return wire;
}

}  // namespace

std::string first_tls_error(const char* otherwise) {
  const unsigned long error = ERR_peek_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? otherwise : reason;
}

TlsContext make_tls_context(const TlsConfig& tls) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!context) throw Failed("tls: " + first_tls_error("no memory"));
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else {
    check_readable("ca_file", tls.ca_file);
    if (SSL_CTX_load_verify_locations(context.get(), tls.ca_file.c_str(), nullptr) != 1) {
      refuse("ca_file", tls.ca_file, "holds no certificate in PEM (" + first_tls_error("cannot be read") + ')');
    }
  }
  if (const auto wire = wire_form(tls.alpn); !wire.empty()) {
    SSL_CTX_set_alpn_protos(context.get(), wire.data(), static_cast<unsigned>(wire.size()));
  }
  SSL_CTX_set_default_passwd_cb(context.get(), give_password);
  SSL_CTX_set_default_passwd_cb_userdata(context.get(), const_cast<std::string*>(&tls.key_password));
  if (tls.cert_file.empty()) return context;
  check_readable("cert_file", tls.cert_file);
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.cert_file.c_str()) != 1) {
    refuse("cert_file", tls.cert_file, "holds no certificate in PEM (" + first_tls_error("cannot be read") + ')');
  }
  use_key(context.get(), tls);
  return context;
}

void check_tls(const TlsConfig& tls, const Endpoint& endpoint) {
  if (!endpoint.is_tls()) {
    if (tls == TlsConfig{}) return;
    throw Failed("server = \"" + endpoint.uri() + "\": is not encrypted, and options of tls are set; use " +
                 (endpoint.scheme == "ws" ? "wss://" : "ssl:// (mostly port 8883)") + ", or leave them out");
  }
  if (tls.cert_file.empty() && !tls.key_file.empty()) {
    refuse("key_file", tls.key_file, "there is no certificate that it belongs to; give tls.cert_file");
  }
  if (tls.cert_file.empty() && !tls.key_password.empty()) {
    throw Failed("tls.key_password: there is no key that it opens; give tls.cert_file and tls.key_file");
  }
  for (std::size_t i = 0; i < tls.alpn.size(); ++i) {
    if (!tls.alpn[i].empty() && tls.alpn[i].size() <= kMaxProtocol) continue;
    throw Failed("tls.alpn[" + std::to_string(i) + "]: a protocol's name has 1 to 255 bytes");
  }
  static_cast<void>(make_tls_context(tls));
}

}  // namespace hb::bridge
