// Payloads of one heart rate: a number as text, and the characteristic 0x2A37.
#include <string>

#include "decoding.hpp"

using namespace hb::codec;
using namespace std::string_literals;

namespace {

Mapping mapping_of(DecoderKind kind) {
  Mapping mapping;
  mapping.decoder = kind;
  mapping.customer_id.from = CustomerFrom::topic;
  mapping.time.from = TimeFrom::receive;
  return mapping;
}

Mapping hex_mapping() {
  Mapping mapping = mapping_of(DecoderKind::gatt_hrm);
  mapping.input_encoding = InputEncoding::hex;
  return mapping;
}

}  // namespace

TEST_CASE("scalar: a number and nothing else") {
  const Mapping mapping = mapping_of(DecoderKind::scalar);
  CHECK(decoded(mapping, "72") == "ctx 72");
  CHECK(decoded(mapping, "\xef\xbb\xbf 72.5\r\n") == "ctx 72");
  CHECK(decoded(mapping, "7.35e1") == "ctx 74");
  CHECK(decoded(mapping, "") == "empty");
  CHECK(decoded(mapping, " \r\n") == "empty");
  for (const auto& other : {"nan"s, "true"s, "unavailable"s, "\"72\""s, "72 bpm"s, "72,73"s, "0x48"s, "+72"s, "072"s,
                            "72."s, "72\0"s, "\xff"s}) {
    INFO(other);
    CHECK(decoded(mapping, other) == "not_a_number");
  }
  CHECK(decoded(mapping, "1e99") == "out_of_range");
  CHECK(decoded(mapping, "0.4") == "out_of_range");
  CHECK(decoded(mapping, "0") == "zero_bpm");
  CHECK(decoded(mapping, "-72") == "ctx -72");
  CHECK(decoded(mapping, "72", true) == "retained_without_time");
}

TEST_CASE("gatt_hrm: 8 or 16 bits, little endian, whatever follows") {
  const Mapping mapping = mapping_of(DecoderKind::gatt_hrm);
  CHECK(decoded(mapping, "\x00\x48"s) == "ctx 72");
  CHECK(decoded(mapping, "\x01\x48\x00"s) == "ctx 72");
  CHECK(decoded(mapping, "\x01\x2c\x01"s) == "ctx 300");
  CHECK(decoded(mapping, "\x01\xff\xff"s) == "ctx 65535");
  CHECK(decoded(mapping, "\x18\x48"s) == "ctx 72");  // energy and RR are said to be there, and are not
  CHECK(decoded(mapping, "\x19\x48\x00\x01\x02\x03\x04"s) == "ctx 72");
  CHECK(decoded(mapping, "\xe0\x48"s) == "ctx 72");  // reserved bits
  CHECK(decoded(mapping, ""s) == "empty");
  CHECK(decoded(mapping, "\x00"s) == "truncated");
  CHECK(decoded(mapping, "\x01\x48"s) == "truncated");
  CHECK(decoded(mapping, "\x00\x48"s, true) == "retained_without_time");
}

TEST_CASE("gatt_hrm: contact counts where the sensor can tell") {
  const Mapping mapping = mapping_of(DecoderKind::gatt_hrm);
  CHECK(decoded(mapping, "\x00\x48"s) == "ctx 72");
  CHECK(decoded(mapping, "\x02\x48"s) == "ctx 72");
  CHECK(decoded(mapping, "\x04\x48"s) == "no_contact");
  CHECK(decoded(mapping, "\x05\x48\x00"s) == "no_contact");
  CHECK(decoded(mapping, "\x06\x48"s) == "ctx 72");
  CHECK(decoded(mapping, "\x06\x00"s) == "zero_bpm");
  CHECK(decoded(mapping, "\x04\x00"s) == "no_contact");
}

TEST_CASE("gatt_hrm: text is not taken for bytes, nor bytes for text") {
  const Mapping bytes = mapping_of(DecoderKind::gatt_hrm);
  CHECK(decoded(bytes, "16485401EC02") == "bad_encoding");
  CHECK(decoded(bytes, "00 48\r\n") == "bad_encoding");
  CHECK(decoded(bytes, "0x0048") == "bad_encoding");
  const Mapping hex = hex_mapping();
  CHECK(decoded(hex, "16485401EC02") == "ctx 72");
  CHECK(decoded(hex, "16485401ec02\n") == "ctx 72");
  CHECK(decoded(hex, "01:48:00") == "ctx 72");
  CHECK(decoded(hex, "01-48-00") == "ctx 72");
  CHECK(decoded(hex, " 01 48 00 ") == "ctx 72");
  CHECK(decoded(hex, "014") == "bad_encoding");
  CHECK(decoded(hex, "01:") == "bad_encoding");
  CHECK(decoded(hex, "01::48") == "bad_encoding");
  CHECK(decoded(hex, "0g") == "bad_encoding");
  CHECK(decoded(hex, "\x00\x48"s) == "bad_encoding");
  CHECK(decoded(hex, "00") == "truncated");
  CHECK(decoded(hex, "") == "empty");
}
