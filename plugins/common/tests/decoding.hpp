// What the tests of the decoders share.
#pragma once

#include <hbcommon/decoder.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

inline constexpr std::int64_t kNow = 1'768'478'400'000'000;

// "id rate" of each reading, or the reason. Each element is received 1 us after the one before.
inline std::string decoded(hb::codec::Decoder& decoder, std::string_view bytes, bool retained = false) {
  std::vector<hb::codec::Decoded> all;
  decoder.decode({bytes, "ctx", kNow, retained}, all);
  std::string out;
  std::int64_t received_us = kNow;
  for (const hb::codec::Decoded& each : all) {
    CHECK(each.reading.received_us == received_us++);
    out += out.empty() ? "" : ", ";
    out += each.outcome.ok()
               ? std::string(hb::customer_id(each.reading)) + ' ' + std::to_string(each.reading.heart_rate)
               : std::string(text(each.outcome.reason));
  }
  return out;
}

// With the topic's customer on offer.
inline std::string decoded(const hb::codec::Mapping& mapping, std::string_view bytes, bool retained = false) {
  hb::codec::Decoder decoder(mapping, {.offered = hb::codec::CustomerFrom::topic});
  return decoded(decoder, bytes, retained);
}
