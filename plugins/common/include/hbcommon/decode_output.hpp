// What a source hands to the agent that has a payload decoded without connecting: a dead letter, or one tried out.
#pragma once

#include <hbagent/decode.hpp>
#include <hbcommon/decoder.hpp>

#include <span>
#include <string_view>

namespace hb::codec {

// What became no reading: one for the dead letters, with its own `bytes`, or none at all.
inline void refuse(const Outcome& outcome, std::string_view bytes, const DecodeOutput& output) {
  if (is_no_reading(outcome.reason)) {
    output.discard(text(outcome.reason), outcome.detail);
  } else {
    output.reject(text(outcome.reason), outcome.detail, bytes);
  }
}

// All that came of a payload, in its order.
inline void hand_out(std::span<const Decoded> all, const DecodeOutput& output) {
  for (const Decoded& each : all) {
    if (each.outcome.ok()) {
      output.reading(each.reading);
    } else {
      refuse(each.outcome, each.element, output);
    }
  }
}

}  // namespace hb::codec
