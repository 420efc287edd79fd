#include "decoder_csv.hpp"

#include <algorithm>

namespace hb::codec {
namespace {

// Blanks around a number or a time mean nothing; an id is kept verbatim.
std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view without_line_end(std::string_view record) {
  if (record.ends_with('\n')) record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

std::string_view without_mark(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  return bytes;
}

}  // namespace

Decoder::CsvFormat::CsvFormat(const Mapping& mapping, char separator)
    : customer_from_(mapping.customer_id.from),
      constant_id_(mapping.customer_id.constant),
      time_reader_(mapping.time),
      splitter_(separator) {
  const CustomerIdMapping& id = mapping.customer_id;
  const HeartRateMapping& rate = mapping.heart_rate;
  if (id.pointer || rate.pointer || !rate.pointers.empty() || mapping.time.pointer) {
    mapping_error("decoder \"csv\" has no pointers; give columns, by number or by header");
  }
  if (mapping.each || mapping.guard) mapping_error("decoder \"csv\" has neither each nor guard");
  customer_id_ = column(id.column, id.header);
  time_ = column(mapping.time.column, mapping.time.header);
  heart_rate_ = column(rate.column, rate.header);
  if (!heart_rate_) mapping_error("heart_rate: decoder \"csv\" needs a column or a header");
  if (id.constant && customer_id_) mapping_error("customer_id: const and a column at once");
  for (const auto* each : {&customer_id_, &time_, &heart_rate_}) {
    if (*each && (*each)->header.has_value() != by_header_) mapping_error("columns: all by number, or all by header");
  }
}

std::optional<Decoder::CsvFormat::Column> Decoder::CsvFormat::column(const std::optional<std::int64_t>& index,
                                                                     const std::optional<std::string>& header) {
  if (index && header) mapping_error("a column by number and by header at once");
  if (!index && !header) return std::nullopt;
  if (header) {
    by_header_ = true;
    return Column{header, 0};
  }
  // Without a header nothing else says how many columns there are, and one more or less is another format.
  columns_ = std::max(columns_, static_cast<std::size_t>(*index) + 1);
  return Column{std::nullopt, static_cast<std::size_t>(*index)};
}

Outcome Decoder::CsvFormat::locate(std::string_view header_line) {
  if (const Outcome split = splitter_.split(without_mark(header_line)); !split.ok()) return split;
  const auto& names = splitter_.fields();
  for (auto* column : {&customer_id_, &time_, &heart_rate_}) {
    if (!*column) continue;
    const auto found = std::find(names.begin(), names.end(), *(*column)->header);
    if (found == names.end()) return {Reason::bad_csv, "the header lacks a mapped column"};
    if (std::find(found + 1, names.end(), *found) != names.end()) {
      return {Reason::bad_csv, "the header has a mapped column twice"};
    }
    (*column)->index = static_cast<std::size_t>(found - names.begin());
  }
  columns_ = names.size();
  return {};
}

Outcome Decoder::CsvFormat::use_header(std::string_view line) {
  if (!by_header_) return {};
  const Outcome located = locate(line);
  located_ = located.ok();
  return located;
}

void Decoder::CsvFormat::decode(const Payload& payload, std::vector<Decoded>& out) {
  if (payload.bytes.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail_whole(payload, {Reason::empty, "nothing but white space"}, out);
  }
  std::string_view rest = without_mark(payload.bytes);
  bool header_due = by_header_ && !located_;
  while (!rest.empty()) {
    // Always one line: were line ends within quotes data, one stray quote would swallow all lines behind it.
    const std::size_t end = rest.find('\n');
    const std::string_view record = rest.substr(0, end == std::string_view::npos ? end : end + 1);
    rest.remove_prefix(record.size());
    const std::string_view line = without_line_end(record);
    if (line.empty()) continue;
    if (header_due) {
      header_due = false;
      const Outcome located = locate(line);
      if (!located.ok()) return fail_whole(payload, located, out);
      continue;
    }
    Decoded& decoded = add_element(payload, out);
    decoded.element = line;
    decoded.outcome = read(payload, line, decoded.reading);
  }
}

Outcome Decoder::CsvFormat::read(const Payload& payload, std::string_view record, Reading& reading) {
  if (const Outcome split = splitter_.split(record); !split.ok()) return split;
  const auto& fields = splitter_.fields();
  if (fields.size() != columns_) return {Reason::bad_csv, "more or fewer columns than mapped"};
  const std::string_view id = customer_id_                            ? fields[customer_id_->index]
                              : customer_from_ != CustomerFrom::field ? payload.context_id
                                                                      : std::string_view(*constant_id_);
  if (const Outcome taken = take_customer_id(id, reading); !taken.ok()) return taken;
  if (!time_) {
    if (const Outcome taken = take_receive_time(payload, reading); !taken.ok()) return taken;
  } else {
    const std::string_view text = trimmed(fields[time_->index]);
    if (text.empty()) return {Reason::missing_time, "the time is empty"};
    const Outcome read = time_reader_.read(text, time_reader_.expects_number(), reading.time_us);
    if (!read.ok()) return read;
  }
  const std::string_view text = trimmed(fields[heart_rate_->index]);
  if (text.empty()) return {Reason::no_measurement, "the heart rate is empty"};
  Decimal number;
  if (const Outcome parsed = parse_number(text, number); !parsed.ok()) return parsed;
  return to_heart_rate(number, reading.heart_rate);
}

}  // namespace hb::codec
