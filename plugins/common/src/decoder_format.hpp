// What the decoders share: one class for each payload format, behind Decoder.
#pragma once

#include "hbcommon/customer_id.hpp"
#include "hbcommon/decoder.hpp"
#include "hbcommon/number.hpp"
#include "hbcommon/time_format.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hb::codec {

class Decoder::Format {
 public:
  virtual ~Format() = default;
  Format() = default;
  Format(const Format&) = delete;
  Format& operator=(const Format&) = delete;

  // Appends to `out`. REQUIRES: the payload is not too large.
  virtual void decode(const Payload& payload, std::vector<Decoded>& out) = 0;
  virtual void decode_element(const Payload& payload, std::vector<Decoded>& out) { decode(payload, out); }
  // What to say of a payload of which only `beginning` may be looked at. ok: nothing but that it is too large.
  virtual Outcome check_beginning(std::string_view) { return {}; }
  virtual bool needs_header() const { return false; }
  virtual Outcome use_header(std::string_view) { return {}; }
};

// Throws hb::Failed with the key that is wrong.
[[noreturn]] void mapping_error(const std::string& text);

// Appends an element, with the time at which it was received.
Decoded& add_element(const Payload& payload, std::vector<Decoded>& out);

// Appends the failure of a whole payload.
void fail_whole(const Payload& payload, Outcome outcome, std::vector<Decoded>& out);

// The id from outside the payload, or a constant: checked, and stored in `reading`.
Outcome take_customer_id(std::string_view id, Reading& reading);

// The time with `time = "receive"`, from the reading's received_us.
Outcome take_receive_time(const Payload& payload, Reading& reading);

}  // namespace hb::codec
