// The extension hbagent.decode/1 in C++: a source class with this member offers it.
//
//   void decode(const hb::DecodeInput& input, const hb::DecodeOutput& output);
//
// It is called on an instance that was created and perhaps never opened, and connects nowhere. Failures are thrown:
// hb::Retry where something is missing that may come back, hb::Failed where this configuration cannot decode such an
// input at all. decode.h states the exact contract.
#ifndef HBAGENT_DECODE_HPP
#define HBAGENT_DECODE_HPP

#include <hbagent/decode.h>
#include <hbagent/host.hpp>

#include <cstdint>
#include <string_view>

namespace hb {

// One input. The views last for the call.
struct DecodeInput {
  DecodeInput() = default;
  explicit DecodeInput(const hb_decode_input& raw_input) {
    hb_decode_input raw{};
    std::memcpy(&raw, &raw_input, std::min<std::size_t>(raw_input.size, sizeof raw));
    payload = {static_cast<const char*>(raw.payload), static_cast<std::size_t>(raw.payload_size)};
    if (raw.key != nullptr) key = {static_cast<const char*>(raw.key), static_cast<std::size_t>(raw.key_size)};
    if (raw.origin != nullptr) origin = raw.origin;
    if (raw.topic != nullptr) topic = raw.topic;
    received_us = raw.received_us;
    retained = raw.retained != 0;
  }

  std::string_view payload;
  std::string_view key;     // empty: none
  std::string_view origin;  // as the plugin wrote it into the dead letter; empty: it was none
  std::string_view topic;   // a topic or a file; empty: the origin says it
  std::int64_t received_us = 0;
  bool retained = false;
};

// Takes what came of an input, in the order in which it lies there.
class DecodeOutput {
 public:
  explicit DecodeOutput(const hb_decode_output& raw) : raw_(&raw) {}

  void reading(const Reading& reading) const { raw_->reading(raw_->context, &reading); }
  // What belongs to the dead letters: `bytes` is that part of the input.
  void reject(const char* reason, const char* detail, std::string_view bytes) const {
    raw_->refuse(raw_->context, HB_VERDICT_REJECT, reason, detail, bytes.data(), bytes.size());
  }
  // What holds no reading at all.
  void discard(const char* reason, const char* detail = nullptr) const {
    raw_->refuse(raw_->context, HB_VERDICT_DISCARD, reason, detail, nullptr, 0);
  }

 private:
  const hb_decode_output* raw_;
};

template <class Plugin>
concept Decodes = requires(Plugin& plugin, const DecodeInput& input, const DecodeOutput& output) {
  plugin.decode(input, output);
};

}  // namespace hb

#endif
