// Payloads that are one number and nothing else.
#pragma once

#include "decoder_format.hpp"

namespace hb::codec {

class Decoder::ScalarFormat : public Decoder::Format {
 public:
  explicit ScalarFormat(const Mapping& mapping) : customer_(mapping.customer_id) {}
  void decode(const Payload& payload, std::vector<Decoded>& out) override;

 private:
  Outcome read(const Payload& payload, std::string_view number, Reading& reading) const;

  FixedCustomer customer_;
};

}  // namespace hb::codec
