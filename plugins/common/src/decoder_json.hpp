// JSON payloads.
#pragma once

#include "decoder_format.hpp"
#include "hbcommon/json.hpp"
#include "hbcommon/json_pointer.hpp"

namespace hb::codec {

class Decoder::JsonFormat : public Decoder::Format {
 public:
  explicit JsonFormat(const Mapping& mapping);
  void decode(const Payload& payload, std::vector<Decoded>& out) override;
  void decode_element(const Payload& payload, std::vector<Decoded>& out) override;
  Outcome check_beginning(std::string_view beginning) override;

 private:
  struct Guard {
    JsonPointer pointer;
    std::optional<std::string> equals;
    std::optional<double> min;
  };
  // One element. No root: what was around it is not there.
  Outcome read(const Payload& payload, std::optional<JsonValue> root, JsonValue element, Reading& reading);
  Outcome read_customer_id(const Payload& payload, std::optional<JsonValue> root, JsonValue element, Reading& reading);
  Outcome read_time(const Payload& payload, JsonValue element, Reading& reading);
  Outcome read_heart_rate(JsonValue value, Reading& reading);
  // The value that the guard points to.
  Outcome check_guard(JsonValue value) const;
  std::optional<JsonValue> find_heart_rate(JsonValue element) const;
  void decode_each(const Payload& payload, JsonValue root, std::vector<Decoded>& out);
  void add(const Payload& payload, std::optional<JsonValue> root, JsonValue element, std::vector<Decoded>& out);

  CustomerFrom customer_from_;
  std::optional<std::string> constant_id_;
  std::optional<JsonPointer> customer_id_;
  bool customer_id_at_root_;
  std::vector<JsonPointer> heart_rate_;
  bool numeric_strings_;
  std::optional<JsonPointer> time_;  // none: the receive time
  TimeReader time_reader_;
  std::optional<JsonPath> each_;
  std::optional<Guard> guard_;
  JsonDocument document_;
  std::string scratch_;
};

}  // namespace hb::codec
