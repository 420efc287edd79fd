// SenML packs (RFC 8428) in JSON.
#pragma once

#include "decoder_format.hpp"
#include "senml_record.hpp"

namespace hb::codec {

class Decoder::SenmlFormat : public Decoder::Format {
 public:
  explicit SenmlFormat(const Mapping& mapping);
  void decode(const Payload& payload, std::vector<Decoded>& out) override;
  Outcome check_beginning(std::string_view beginning) override;

 private:
  // Of a record: is it one that holds heart rates, though perhaps not this time?
  enum class Ours : std::uint8_t { no, yes, other_unit };

  // Decodes one record, or passes it over. A failure is that of the whole pack.
  Outcome add(const Payload& payload, JsonValue record, std::vector<Decoded>& out);
  Outcome read_names();
  Ours is_ours() const;
  Outcome read(const Payload& payload, Reading& reading);
  Outcome take_customer(const Payload& payload, Reading& reading) const;
  Outcome read_time(const Payload& payload, Reading& reading) const;
  Outcome read_value(Reading& reading) const;
  std::string_view element_of(JsonValue record);

  FixedCustomer fixed_customer_;
  std::optional<SenmlName> customer_name_;  // none: fixed_customer_
  std::string strip_suffix_;
  std::optional<std::string> wanted_name_;
  std::vector<std::string> wanted_units_;
  bool own_time_;

  JsonDocument document_;
  SenmlBase base_;
  SenmlRecord record_;       // the one that is being decoded
  std::string name_, unit_;  // its own name; its unit, or the base unit
};

}  // namespace hb::codec
