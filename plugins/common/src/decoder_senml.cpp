#include "decoder_senml.hpp"

#include <algorithm>

namespace hb::codec {
namespace {

// Section 4.5.3: what is below is relative to "now".
constexpr std::int64_t kFirstAbsoluteSecond = std::int64_t{1} << 28;

}  // namespace

Decoder::SenmlFormat::SenmlFormat(const Mapping& mapping)
    : fixed_customer_(mapping.customer_id),
      customer_name_(mapping.customer_id.senml),
      strip_suffix_(mapping.customer_id.strip_suffix),
      wanted_name_(mapping.heart_rate.name),
      wanted_units_(mapping.heart_rate.units),
      own_time_(mapping.time.senml) {}

Outcome Decoder::SenmlFormat::check_beginning(std::string_view beginning) {
  return check_cut_json(document_, beginning);
}

void Decoder::SenmlFormat::decode(const Payload& payload, std::vector<Decoded>& out) {
  if (const Outcome parsed = document_.parse(payload.bytes); !parsed.ok()) return fail_whole(payload, parsed, out);
  const JsonValue root = document_.root();
  if (root.kind() != JsonKind::array) {
    return fail_whole(payload, {Reason::bad_senml, "a pack is an array of records"}, out);
  }
  base_.clear();
  for (auto record = root.first_element(); record; record = record->next_element()) {
    const Outcome added = add(payload, *record, out);
    if (added.ok()) continue;
    out.clear();
    return fail_whole(payload, added, out);
  }
}

Outcome Decoder::SenmlFormat::add(const Payload& payload, JsonValue record, std::vector<Decoded>& out) {
  // What must be understood holds for the pack, and a doubtful base field makes all records behind it doubtful.
  const bool object = record.kind() == JsonKind::object;
  if (const Outcome read = record_.read(record); !read.ok() && object) return read;
  const bool doubled = record.duplicate_keys() > 0;
  if (doubled && record_.has_base_field()) return {Reason::duplicate_key, "a record with base fields has a key twice"};
  if (const Outcome applied = base_.apply(record_); !applied.ok()) return applied;

  Outcome outcome;
  if (!object) {
    outcome = {Reason::bad_senml, "a record is no object"};
  } else if (doubled) {
    outcome = {Reason::duplicate_key, "a record has a key twice"};
  } else {
    outcome = read_names();
  }
  const Ours ours = outcome.ok() ? is_ours() : Ours::yes;
  if (ours == Ours::no) return {};
  Decoded& decoded = add_element(payload, out);
  if (outcome.ok() && ours == Ours::other_unit) outcome = {Reason::guard_mismatch, "a heart rate in another unit"};
  if (outcome.ok()) outcome = take_customer(payload, decoded.reading);
  if (outcome.ok()) outcome = read(payload, decoded.reading);
  decoded.outcome = outcome;
  decoded.element = is_dead_letter(outcome) ? element_of(record) : record.source();
  return {};
}

Outcome Decoder::SenmlFormat::read_names() {
  name_.clear();
  unit_ = base_.unit();
  std::string scratch;
  for (auto [field, text] : {std::pair{SenmlField::n, &name_}, std::pair{SenmlField::u, &unit_}}) {
    const auto& value = record_[field];
    if (!value) continue;
    if (value->kind() != JsonKind::string) return {Reason::bad_senml, "a name or a unit that is no text"};
    *text = value->text(scratch);
  }
  return {};
}

Decoder::SenmlFormat::Ours Decoder::SenmlFormat::is_ours() const {
  const auto is_whole_name = [&](const std::string& wanted) {
    return wanted.size() == base_.name().size() + name_.size() && wanted.starts_with(base_.name()) &&
           wanted.ends_with(name_);
  };
  if (wanted_name_ && name_ != *wanted_name_ && !is_whole_name(*wanted_name_)) return Ours::no;
  const bool unit =
      wanted_units_.empty() || std::find(wanted_units_.begin(), wanted_units_.end(), unit_) != wanted_units_.end();
  if (unit) return Ours::yes;
  return wanted_name_ ? Ours::other_unit : Ours::no;
}

Outcome Decoder::SenmlFormat::take_customer(const Payload& payload, Reading& reading) const {
  if (!customer_name_) return take_customer_id(fixed_customer_.id(payload), reading);
  std::string id = base_.name();
  if (*customer_name_ == SenmlName::name) id += name_;
  if (id.ends_with(strip_suffix_)) id.resize(id.size() - strip_suffix_.size());
  return take_customer_id(id, reading);
}

Outcome Decoder::SenmlFormat::read(const Payload& payload, Reading& reading) {
  const auto has = [this](SenmlField field) { return record_[field].has_value(); };
  if (!has(SenmlField::v)) {
    if (has(SenmlField::vs) || has(SenmlField::vb) || has(SenmlField::vd) || has(SenmlField::s)) {
      return {Reason::not_a_number, "a text, a boolean, data or a sum is no heart rate"};
    }
    if (!base_.has_value()) return {Reason::missing_heart_rate, "the record has no value"};
  }
  if (const Outcome time = read_time(payload, reading); !time.ok()) return time;
  return read_value(reading);
}

// Section 4.5.3: base time and time are added, either may be missing.
Outcome Decoder::SenmlFormat::read_time(const Payload& payload, Reading& reading) const {
  const auto& written = record_[SenmlField::t];
  if (!own_time_ || (!written && !base_.has_time())) return take_receive_time(payload, reading);
  Decimal time;
  if (written && (written->kind() != JsonKind::number || !parse_number(written->raw(), time).ok())) {
    return {Reason::bad_time, "the time is no number"};
  }
  time = sum_of(base_.time(), time);
  std::int64_t seconds = 0;
  const bool fits = to_scaled_integer(time, 0, seconds);
  if (fits ? seconds >= kFirstAbsoluteSecond : !time.negative) {
    return time_from_epoch(time, EpochUnit::seconds, reading.time_us);
  }
  if (payload.retained) return {Reason::retained_without_time, "a retained value of unknown age"};
  std::int64_t ago = 0, utc = 0;
  if (!to_scaled_integer(time, 6, ago) || __builtin_add_overflow(payload.received_us, ago, &utc)) {
    return {Reason::time_implausible, "beyond 64 bits"};
  }
  return time_from_epoch(utc, EpochUnit::microseconds, reading.time_us);
}

// Section 4.5.4: base value and value are added, either may be missing.
Outcome Decoder::SenmlFormat::read_value(Reading& reading) const {
  Decimal value;
  if (const auto& written = record_[SenmlField::v]) {
    if (written->kind() != JsonKind::number) return {Reason::not_a_number, "the value (v) is no number"};
    if (const Outcome parsed = parse_number(written->raw(), value); !parsed.ok()) return parsed;
  }
  return take_heart_rate(sum_of(base_.value(), value), reading);
}

// The record as a pack of its own, with what the base fields before it say. Where these are too many, the record
// alone, which is no pack: as one it would say something else.
std::string_view Decoder::SenmlFormat::element_of(JsonValue record) {
  std::string pack = "[";
  if (record.kind() != JsonKind::object) {
    pack.append(record.source());
  } else {
    const std::string base = base_.members_beyond(record_);
    if (!take_prefix(base.size())) return record.source();
    pack.append("{").append(base);
    const std::string_view members = record.raw().substr(1);
    if (!record.first_key() && pack.back() == ',') pack.pop_back();
    pack.append(members);
  }
  return keep_element(std::move(pack.append("]")));
}

}  // namespace hb::codec
