#include "decoder_csv.hpp"

#include "mapping_check.hpp"

#include <algorithm>

namespace hb::codec {
namespace {

std::string_view without_line_end(std::string_view record) {
  if (record.ends_with('\n')) record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

}  // namespace

Decoder::CsvFormat::CsvFormat(const Mapping& mapping, char separator)
    : fixed_customer_(mapping.customer_id), time_reader_(mapping.time), splitter_(separator) {
  const CustomerIdMapping& id = mapping.customer_id;
  const HeartRateMapping& rate = mapping.heart_rate;
  customer_id_ = column(id.column, id.header);
  time_ = column(mapping.time.column, mapping.time.header);
  heart_rate_ = column(rate.column, rate.header);
  for (const auto* each : {&customer_id_, &time_, &heart_rate_}) {
    if (*each && (*each)->header.has_value() != by_header_) mapping_error("columns: all by number, or all by header");
  }
}

std::optional<Decoder::CsvFormat::Column> Decoder::CsvFormat::column(const std::optional<std::int64_t>& index,
                                                                     const std::optional<std::string>& header) {
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
  if (payload.bytes.find_first_not_of(kWhiteSpace) == std::string_view::npos) {
    return fail_whole(payload, {Reason::empty, "nothing but white space"}, out);
  }
  std::string_view rest = without_mark(payload.bytes);
  bool header_due = by_header_ && !located_;
  std::string_view header;  // of this payload alone
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
      header = line;
      continue;
    }
    Decoded& decoded = add_element(payload, out);
    decoded.element = line;
    decoded.outcome = read(payload, line, decoded.reading);
    if (is_dead_letter(decoded.outcome) && !header.empty() && take_prefix(header.size() + 1)) {
      decoded.element = keep_element(std::string(header) + '\n' + std::string(line));
    }
  }
}

Outcome Decoder::CsvFormat::read(const Payload& payload, std::string_view record, Reading& reading) {
  if (const Outcome split = splitter_.split(record); !split.ok()) return split;
  const auto& fields = splitter_.fields();
  if (fields.size() != columns_) return {Reason::bad_csv, "more or fewer columns than mapped"};
  const std::string_view id = customer_id_ ? fields[customer_id_->index] : fixed_customer_.id(payload);
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
  return read_heart_rate(text, reading);
}

}  // namespace hb::codec
