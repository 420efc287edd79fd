#include "decoder_gatt.hpp"

#include <algorithm>

namespace hb::codec {
namespace {

constexpr unsigned kSixteenBits = 0x01, kContact = 0x02, kTellsContact = 0x04, kReserved = 0xe0;

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Pairs of digits, one after the other or with one of " :-" between two pairs.
bool from_hex(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (std::size_t at = 0; at < text.size(); at += 2) {
    if (at > 0 && std::string_view(" :-").find(text[at]) != std::string_view::npos) ++at;
    if (text.size() - at < 2) return false;
    const int high = digit_value(text[at]), low = digit_value(text[at + 1]);
    if (high < 0 || low < 0) return false;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

// Any printable first character would set reserved bits. A sensor may as well, so that alone is no sign of text.
bool is_text(std::string_view bytes) {
  const auto printable = [](char c) { return (c >= ' ' && c <= '~') || c == '\r' || c == '\n'; };
  return (byte_at(bytes, 0) & kReserved) != 0 && std::all_of(bytes.begin(), bytes.end(), printable);
}

}  // namespace

void Decoder::GattFormat::decode(const Payload& payload, std::vector<Decoded>& out) {
  std::string_view value = payload.bytes;
  if (hex_) {
    value = trimmed(value, kWhiteSpace);
    if (!from_hex(value, bytes_)) {
      return fail_whole(payload, {Reason::bad_encoding, "not pairs of hexadecimal digits"}, out);
    }
    value = bytes_;
  }
  if (value.empty()) return fail_whole(payload, {Reason::empty, "no bytes"}, out);
  Decoded& decoded = add_element(payload, out);
  decoded.element = payload.bytes;
  decoded.outcome = !hex_ && is_text(value)
                        ? Outcome{Reason::bad_encoding, "text, where bytes are configured (input_encoding)"}
                        : read(payload, value, decoded.reading);
}

Outcome Decoder::GattFormat::read(const Payload& payload, std::string_view value, Reading& reading) const {
  const unsigned flags = byte_at(value, 0);
  const std::size_t size = (flags & kSixteenBits) != 0 ? 2 : 1;
  if (value.size() < 1 + size) return {Reason::truncated, "the value ends within the heart rate"};
  if (const Outcome taken = take_customer_id(customer_.id(payload), reading); !taken.ok()) return taken;
  if ((flags & kTellsContact) != 0 && (flags & kContact) == 0) {
    return {Reason::no_contact, "the sensor has no contact to the skin"};
  }
  if (const Outcome taken = take_receive_time(payload, reading); !taken.ok()) return taken;
  return take_heart_rate({.digits = byte_at(value, 1) | (size == 2 ? byte_at(value, 2) << 8 : 0)}, reading);
}

}  // namespace hb::codec
