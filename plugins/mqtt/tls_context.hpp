// The TLS options as OpenSSL has them, and what is wrong with them.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "connection_config.hpp"
#include "endpoint.hpp"

namespace hb::bridge {

using TlsContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// `tls` must outlive the context. Throws hb::Failed, which begins with the key whose file or text cannot be used.
// [any thread]
TlsContext make_tls_context(const TlsConfig& tls);

// The reason of OpenSSL's first error on this thread since they were cleared; `otherwise` where it has none. The later
// ones say where it was noticed.
std::string first_tls_error(const char* otherwise);

// Whether the options suit the address and each other, and the files that they name can be used. Connects nowhere.
// Throws hb::Failed, which begins with the key that is wrong.
void check_tls(const TlsConfig& tls, const Endpoint& endpoint);

}  // namespace hb::bridge
