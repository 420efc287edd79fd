// Why a broker cannot be reached, told apart: Paho says no more than that connecting failed.
#pragma once

#include <chrono>
#include <string>

#include "connection_config.hpp"
#include "endpoint.hpp"

namespace hb::bridge {

// Connects once more, up to the TLS handshake and no further, and says what stands in the way: a name that cannot be
// resolved, a port that refuses, a certificate that expired, that is another host's or that nobody trusts, a client
// certificate that is wanted, TLS where the address has none and the other way round. Empty where nothing does. Blocks
// for `limit` at most. [any thread]
std::string why_unreachable(const Endpoint& endpoint, const TlsConfig& tls, std::chrono::milliseconds limit);

}  // namespace hb::bridge
