#include "hbcommon/payload_format.hpp"

#include "mapping_check.hpp"

namespace hb::codec {

std::optional<Mapping> mapping_for(PayloadFormat format, const Mapping& mapping) {
  if (format != PayloadFormat::wire) {
    Mapping whole = mapping;
    whole.decoder = static_cast<DecoderKind>(static_cast<int>(format) - 1);
    return whole;
  }
  if (mapping != Mapping{}) {
    mapping_error(
        "decoder: \"wire\" has no mapping; say how payloads are written (\"json\", ...), or leave the mapping out");
  }
  return std::nullopt;
}

}  // namespace hb::codec
