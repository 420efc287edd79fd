#include "plain_lines.hpp"

#include <hbcommon/customer_id.hpp>
#include <hbcommon/number.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>

namespace hb::file {
namespace {

using codec::Outcome;
using codec::Reason;

// Blanks around a number or a time mean nothing; an id is kept as it is.
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Names joined by '|'; one without a meaning here is passed over, as in the wire format.
std::uint16_t flags_of(std::string_view names) {
  std::uint32_t flags = 0;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find('|'));
    flags |= codec::flag_from_name(name);
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
  return static_cast<std::uint16_t>(flags);
}

Outcome read_heart_rate(std::string_view text, Reading& reading) {
  text = trimmed(text);
  if (text.empty()) return {Reason::no_measurement, "the heart rate is empty"};
  codec::Decimal number;
  if (const Outcome parsed = codec::parse_number(text, number); !parsed.ok()) return parsed;
  if (const Outcome rounded = codec::to_heart_rate(number, reading.heart_rate); !rounded.ok()) return rounded;
  return reading.heart_rate == 0 ? Outcome{Reason::zero_bpm, "a heart rate of 0"} : Outcome{};
}

Outcome read_time(std::string_view text, Reading& reading) {
  text = trimmed(text);
  if (text.empty()) return {Reason::missing_time, "the time is empty"};
  return codec::parse_time(text, reading.time_us);
}

}  // namespace

void WireLines::decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
                       std::vector<Problem>& problems) {
  Reading& reading = readings.emplace_back();
  reading.received_us = received_us;
  const Outcome outcome = codec::parse_reading(line, reading, fixed_id_);
  if (!outcome.ok()) {
    readings.pop_back();
    problems.push_back({outcome, line});
  } else if (!fixed_id_.empty()) {
    set_customer_id(reading, fixed_id_);
  }
}

PlainCsvLines::PlainCsvLines(char separator, const std::string& fixed_id)
    : splitter_(separator), fixed_(set_customer_id(template_, fixed_id)) {}

void PlainCsvLines::header(std::string_view line) {
  if (const Outcome split = splitter_.split(line); !split.ok()) {
    throw BadFile(std::string("its header is no CSV: ") + split.detail);
  }
  const auto& names = splitter_.fields();
  const auto find = [&](std::string_view name) -> std::optional<std::size_t> {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    if (std::find(found + 1, names.end(), name) != names.end()) {
      throw BadFile("its header has the column " + std::string(name) + " twice");
    }
    return static_cast<std::size_t>(found - names.begin());
  };
  const auto need = [&](std::string_view name) {
    const auto found = find(name);
    if (!found) throw BadFile("its header lacks the column " + std::string(name));
    return *found;
  };
  time_ = need("time");
  heart_rate_ = need("heart_rate");
  if (!fixed_) customer_id_ = need("customer_id");
  flags_ = find("flags");
  width_ = names.size();
}

void PlainCsvLines::decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
                           std::vector<Problem>& problems) {
  Reading& reading = readings.emplace_back(template_);
  reading.received_us = received_us;
  const Outcome outcome = read(line, reading);
  if (outcome.ok()) return;
  readings.pop_back();
  problems.push_back({outcome, line});
}

Outcome PlainCsvLines::read(std::string_view line, Reading& reading) {
  if (const Outcome split = splitter_.split(line); !split.ok()) return split;
  const auto& fields = splitter_.fields();
  if (fields.size() != width_) return {Reason::bad_csv, "more or fewer columns than the header"};
  if (customer_id_) {
    const std::string_view id = fields[*customer_id_];
    if (const Outcome checked = codec::check_customer_id(id); !checked.ok()) return checked;
    set_customer_id(reading, id);
  }
  if (const Outcome time = read_time(fields[time_], reading); !time.ok()) return time;
  if (flags_) reading.flags = flags_of(fields[*flags_]);
  return read_heart_rate(fields[heart_rate_], reading);
}

}  // namespace hb::file
