// Payloads to readings, as a Mapping says. One bad element never costs its neighbours.
#pragma once

#include <hbagent/host.hpp>
#include <hbcommon/mapping.hpp>
#include <hbcommon/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace hb::codec {

// One message or line.
struct Payload {
  std::string_view bytes;
  std::string_view context_id;  // the id from the topic, key or file name, where the mapping asks for it
  // received_us of the first element, 1 us more for each one behind it; with `time = "receive"` also their time.
  std::int64_t received_us = 0;
  bool retained = false;  // MQTT: an old value; without its own time it is no reading
};

// One element of a payload, in its order.
struct Decoded {
  Reading reading{};  // whole when outcome.ok(); else with what was read before the failure
  Outcome outcome;    // is_no_reading(outcome.reason): to be discarded, else for the dead letters
  // The bytes it came from; valid as long as the payload, and until the decoder is used again. Where one for the dead
  // letters has no whole meaning without what stands before it (SenML base fields, the header of a CSV payload), that
  // is put before it, unless it is longer than 1 KiB or the elements have grown by four times the payload already.
  std::string_view element;
};

struct DecoderSettings {
  CustomerFrom offered = CustomerFrom::field;  // what context_id holds, if anything
  std::size_t max_payload = 64UL * 1024;       // larger ones are too_large, or what their beginning is
  char separator = ',';                        // CSV: between fields
};

// Checks what the mapping says once, then decodes any number of payloads. Keeps its buffers. One thread at a time.
// A heart rate of 0 is no reading (zero_bpm). All else is read, not judged: a negative number or a time in the future
// decode; `validate` and its bounds come behind. What cannot be held by a reading is refused here (out_of_range,
// time_implausible).
class Decoder {
 public:
  // Throws hb::Failed, naming the key, where the mapping contradicts itself, misses something, or names an unknown
  // zone.
  explicit Decoder(const Mapping& mapping, const DecoderSettings& settings = {});
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  // Replaces `out` by at least one entry. A failure of the whole payload is one entry with all its bytes.
  // CSV: each line is an element, also where a quote is left open; empty lines are skipped; where columns are mapped by
  // header and use_header was not called, the first line of each payload is the header.
  void decode(const Payload& payload, std::vector<Decoded>& out);

  // One element alone, as decode handed it out; without `each`, the same as decode. What the mapping takes
  // from around the elements is not there: `context_id` stands for a customer named there (scope = "root").
  void decode_element(const Payload& payload, std::vector<Decoded>& out);

  // Whether a payload may hold several elements.
  bool has_elements() const { return has_elements_; }
  // Whether the customer of an element is named around it, so that the element alone does not say it.
  bool is_named_around() const { return named_around_; }
  // The context_id with which decode_element takes an element of `payload`: the customer that is named around it, or
  // the payload's own.
  std::string_view context_of(const Decoded& decoded, const Payload& payload) const;

  // CSV: whether columns are mapped by their name in a header line.
  bool needs_header() const;
  // CSV: the header of all payloads to come, for files that are decoded line by line. bad_csv where a mapped column is
  // missing or there twice.
  Outcome use_header(std::string_view line);

 private:
  class Format;
  class JsonFormat;
  class CsvFormat;
  class ScalarFormat;
  class GattFormat;
  class SenmlFormat;
  static std::unique_ptr<Format> make_format(const Mapping& mapping, char separator);

  std::unique_ptr<Format> format_;
  std::size_t max_payload_;
  bool has_elements_;
  bool named_around_;
};

}  // namespace hb::codec
