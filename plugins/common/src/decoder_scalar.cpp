#include "decoder_scalar.hpp"

namespace hb::codec {

void Decoder::ScalarFormat::decode(const Payload& payload, std::vector<Decoded>& out) {
  const std::string_view number = trimmed(without_mark(payload.bytes), kWhiteSpace);
  if (number.empty()) return fail_whole(payload, {Reason::empty, "nothing but white space"}, out);
  Decoded& decoded = add_element(payload, out);
  decoded.element = payload.bytes;
  decoded.outcome = read(payload, number, decoded.reading);
}

Outcome Decoder::ScalarFormat::read(const Payload& payload, std::string_view number, Reading& reading) const {
  if (const Outcome taken = take_customer_id(customer_.id(payload), reading); !taken.ok()) return taken;
  if (const Outcome taken = take_receive_time(payload, reading); !taken.ok()) return taken;
  return read_heart_rate(number, reading);
}

}  // namespace hb::codec
