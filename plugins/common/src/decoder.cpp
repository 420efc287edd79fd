#include "hbcommon/decoder.hpp"

#include "decoder_csv.hpp"
#include "decoder_json.hpp"

#include <algorithm>
#include <stdexcept>

namespace hb::codec {
namespace {

const char* name_of(CustomerFrom from) {
  switch (from) {
    case CustomerFrom::topic:
      return "topic";
    case CustomerFrom::key:
      return "key";
    case CustomerFrom::file_name:
      return "file_name";
    case CustomerFrom::field:
      break;
  }
  return "field";
}

void check_customer_from(const CustomerIdMapping& mapping, CustomerFrom offered) {
  const bool named = mapping.pointer || mapping.constant || mapping.column || mapping.header;
  if (mapping.from == CustomerFrom::field) {
    if (!named) mapping_error("customer_id: say where the id is: a pointer, a column, a header or a const");
    return;
  }
  if (named) mapping_error("customer_id: \"" + std::string(name_of(mapping.from)) + "\" and a field at once");
  if (mapping.from != offered) {
    mapping_error("customer_id: this plugin knows no \"" + std::string(name_of(mapping.from)) + '"' +
                  (offered == CustomerFrom::field ? "" : "; it has \"" + std::string(name_of(offered)) + '"'));
  }
}

void check_time(const TimeMapping& mapping) {
  const bool named = mapping.pointer || mapping.column || mapping.header;
  if (mapping.from == TimeFrom::receive && named) mapping_error("time: \"receive\" and a field at once");
  if (mapping.from == TimeFrom::field && !named) {
    mapping_error("time: say where the time is (a pointer, a column or a header), or time = \"receive\"");
  }
  if ((mapping.format == TimeFormat::strftime) == mapping.pattern.empty()) {
    mapping_error("time: a pattern belongs to format = \"strftime\", and that needs one");
  }
}

}  // namespace

void mapping_error(const std::string& text) {
  throw Failed(text);
}

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

Decoder::Decoder(const Mapping& mapping, const DecoderSettings& settings) : max_payload_(settings.max_payload) {
  check_customer_from(mapping.customer_id, settings.offered);
  check_time(mapping.time);
  try {
    if (mapping.decoder == DecoderKind::json) {
      format_ = std::make_unique<JsonFormat>(mapping);
    } else {
      format_ = std::make_unique<CsvFormat>(mapping, settings.separator);
    }
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
  if (payload.bytes.size() > max_payload_) {
    const Outcome found = format_->check_beginning(payload.bytes.substr(0, max_payload_));
    return fail_whole(payload, found.ok() ? Outcome{Reason::too_large, "larger than max_payload"} : found, out);
  }
  format_->decode(payload, out);
  if (out.empty()) fail_whole(payload, {Reason::no_measurement, "no element"}, out);
}

void Decoder::decode_element(const Payload& payload, std::vector<Decoded>& out) {
  out.clear();
  if (payload.bytes.size() > max_payload_) {
    return fail_whole(payload, {Reason::too_large, "larger than max_payload"}, out);
  }
  format_->decode_element(payload, out);
  if (out.empty()) fail_whole(payload, {Reason::no_measurement, "no element"}, out);
}

bool Decoder::needs_header() const {
  return format_->needs_header();
}

Outcome Decoder::use_header(std::string_view line) {
  return format_->use_header(line);
}

}  // namespace hb::codec
