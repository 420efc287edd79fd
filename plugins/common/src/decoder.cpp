#include "hbcommon/decoder.hpp"

#include "decoder_csv.hpp"
#include "decoder_gatt.hpp"
#include "decoder_json.hpp"
#include "decoder_scalar.hpp"
#include "decoder_senml.hpp"
#include "mapping_check.hpp"

#include <stdexcept>

namespace hb::codec {

Decoded& add_element(const Payload& payload, std::vector<Decoded>& out) {
  const auto before = static_cast<std::int64_t>(out.size());
  Decoded& added = out.emplace_back();
  added.reading.received_us = payload.received_us + before;
  return added;
}

void fail_whole(const Payload& payload, Outcome outcome, std::vector<Decoded>& out) {
  Decoded& failed = add_element(payload, out);
  failed.outcome = outcome;
  failed.element = payload.bytes;
}

Outcome take_customer_id(std::string_view id, Reading& reading) {
  if (const Outcome checked = check_customer_id(id); !checked.ok()) return checked;
  set_customer_id(reading, id);
  return {};
}

Outcome take_receive_time(const Payload& payload, Reading& reading) {
  if (payload.retained) return {Reason::retained_without_time, "a retained value of unknown age"};
  reading.time_us = reading.received_us;
  return {};
}

std::string_view trimmed(std::string_view text, const char* blanks) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view without_mark(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  return bytes;
}

Outcome take_heart_rate(const Decimal& value, Reading& reading) {
  if (const Outcome taken = to_heart_rate(value, reading.heart_rate); !taken.ok()) return taken;
  return reading.heart_rate == 0 ? Outcome{Reason::zero_bpm, "a heart rate of 0"} : Outcome{};
}

Outcome read_heart_rate(std::string_view text, Reading& reading) {
  Decimal number;
  if (const Outcome parsed = parse_number(text, number); !parsed.ok()) return parsed;
  return take_heart_rate(number, reading);
}

std::string_view FixedCustomer::id(const Payload& payload) const {
  return constant_ ? std::string_view(*constant_) : payload.context_id;
}

Outcome check_cut_json(JsonDocument& document, std::string_view beginning) {
  const Outcome parsed = document.parse(beginning);
  // A fault at the very end is that of the cut: within a number, a literal, an escape or a UTF-8 sequence.
  constexpr std::size_t kLongestToken = 12;
  const bool cut = parsed.ok() || document.bytes_read() + kLongestToken >= beginning.size();
  return cut ? Outcome{} : parsed;
}

std::unique_ptr<Decoder::Format> Decoder::make_format(const Mapping& mapping, char separator) {
  switch (mapping.decoder) {
    case DecoderKind::json:
      return std::make_unique<JsonFormat>(mapping);
    case DecoderKind::csv:
      return std::make_unique<CsvFormat>(mapping, separator);
    case DecoderKind::scalar:
      return std::make_unique<ScalarFormat>(mapping);
    case DecoderKind::gatt_hrm:
      return std::make_unique<GattFormat>(mapping);
    case DecoderKind::senml:
      break;
  }
  return std::make_unique<SenmlFormat>(mapping);
}

Decoder::Decoder(const Mapping& mapping, const DecoderSettings& settings)
    : max_payload_(settings.max_payload),
      has_elements_(mapping.each.has_value() || mapping.decoder == DecoderKind::csv ||
                    mapping.decoder == DecoderKind::senml),
      named_around_(mapping.each.has_value() && mapping.customer_id.scope == Scope::root) {
  check_mapping(mapping, settings.offered);
  try {
    format_ = make_format(mapping, settings.separator);
  } catch (const Failed&) {
    throw;
  } catch (const std::exception& error) {
    mapping_error(std::string("time: ") + error.what());
  }
}

Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

void Decoder::decode(const Payload& payload, std::vector<Decoded>& out) {
  out.clear();
  format_->begin(payload);
  if (payload.bytes.size() > max_payload_) {
    const Outcome found = format_->check_beginning(payload.bytes.substr(0, max_payload_));
    return fail_whole(payload, found.ok() ? Outcome{Reason::too_large, "larger than max_payload"} : found, out);
  }
  format_->decode(payload, out);
  if (out.empty()) fail_whole(payload, {Reason::no_measurement, "no element"}, out);
}

void Decoder::decode_element(const Payload& payload, std::vector<Decoded>& out) {
  out.clear();
  format_->begin(payload);
  if (payload.bytes.size() > max_payload_) {
    return fail_whole(payload, {Reason::too_large, "larger than max_payload"}, out);
  }
  format_->decode_element(payload, out);
  if (out.empty()) fail_whole(payload, {Reason::no_measurement, "no element"}, out);
}

std::string_view Decoder::context_of(const Decoded& decoded, const Payload& payload) const {
  return named_around_ ? customer_id(decoded.reading) : payload.context_id;
}

bool Decoder::needs_header() const {
  return format_->needs_header();
}

Outcome Decoder::use_header(std::string_view line) {
  return format_->use_header(line);
}

}  // namespace hb::codec
