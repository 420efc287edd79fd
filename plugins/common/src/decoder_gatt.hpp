// Payloads that are the value of the Bluetooth GATT characteristic Heart Rate Measurement (0x2A37), as the Heart Rate
// Service 1.0, section 3.1, and the GATT Specification Supplement lay it out:
//
//   flags       1 byte   bit 0: the heart rate has 16 bits; bit 1: the sensor has contact; bit 2: it can tell;
//                        bit 3: energy expended is there; bit 4: RR intervals are there; bits 5 to 7: reserved
//   heart rate  1 or 2   bpm, little endian
//   then energy expended and RR intervals, which are no part of a reading
#pragma once

#include "decoder_format.hpp"

namespace hb::codec {

class Decoder::GattFormat : public Decoder::Format {
 public:
  explicit GattFormat(const Mapping& mapping)
      : customer_(mapping.customer_id), hex_(mapping.input_encoding == InputEncoding::hex) {}
  void decode(const Payload& payload, std::vector<Decoded>& out) override;

 private:
  Outcome read(const Payload& payload, std::string_view value, Reading& reading) const;

  FixedCustomer customer_;
  bool hex_;
  std::string bytes_;  // of hexadecimal text
};

}  // namespace hb::codec
