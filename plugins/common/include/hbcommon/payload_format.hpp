// The choice of a source that knows the wire format beside the mapped ones.
#pragma once

#include <hbcommon/mapping.hpp>

#include <cstdint>
#include <optional>

namespace hb::codec {

// How payloads are written: in the wire format, which needs no mapping, or as one of DecoderKind, in its order.
enum class PayloadFormat : std::uint8_t { wire, json, csv, scalar, gatt_hrm, senml };

// The mapping with the decoder that `format` names; nothing for the wire format. Throws hb::Failed where that one has a
// mapping.
std::optional<Mapping> mapping_for(PayloadFormat format, const Mapping& mapping);

}  // namespace hb::codec
