#include "senml_record.hpp"

#include <algorithm>

namespace hb::codec {
namespace {

constexpr std::array<std::string_view, kSenmlFields> kLabels = {"bn", "bt", "bu", "bv", "bs", "bver", "n",
                                                                "u",  "v",  "vs", "vb", "vd", "s",    "t"};
constexpr std::uint64_t kVersion = 10;  // RFC 8428, section 4.4
// Of a base field as written: it is put before each record behind it that fails.
constexpr std::size_t kMaxBaseSize = 128;

constexpr Outcome bad(const char* detail) {
  return {Reason::bad_senml, detail};
}

bool is_text(SenmlField field) {
  return field == SenmlField::bn || field == SenmlField::bu;
}

Outcome check_version(JsonValue value) {
  Decimal version;
  if (!parse_number(value.raw(), version).ok()) return bad("bver is no number");
  std::int64_t whole = 0;
  if (version.negative || version.digits == 0 || !to_scaled_integer(version, 0, whole)) {
    return bad("bver is no positive integer");
  }
  return static_cast<std::uint64_t>(whole) > kVersion ? bad("of a later version than 10 (bver)") : Outcome{};
}

}  // namespace

Outcome SenmlRecord::read(JsonValue record) {
  fields_ = {};
  if (record.kind() != JsonKind::object) return bad("a record is no object");
  std::string scratch;
  for (auto key = record.first_key(); key; key = key->next_key()) {
    const std::string_view label = key->text(scratch);
    const auto* const found = std::find(kLabels.begin(), kLabels.end(), label);
    if (found != kLabels.end()) {
      fields_[static_cast<std::size_t>(found - kLabels.begin())] = key->value_of_key();
    } else if (label.ends_with('_')) {
      return bad("a field that must be understood, and is not known");
    }
  }
  return {};
}

bool SenmlRecord::has_base_field() const {
  return std::any_of(fields_.begin(), fields_.begin() + kSenmlBaseFields, [](const auto& field) { return !!field; });
}

Outcome SenmlBase::apply(const SenmlRecord& record) {
  for (std::size_t i = 0; i < kSenmlBaseFields; ++i) {
    const auto field = static_cast<SenmlField>(i);
    const std::optional<JsonValue>& value = record[field];
    if (!value) continue;
    if (value->kind() != (is_text(field) ? JsonKind::string : JsonKind::number)) return bad("a base field of no use");
    if (value->raw().size() > kMaxBaseSize) return bad("a base field is longer than 128 bytes");
    raw_[i] = value->source();
  }
  std::string scratch;
  if (const auto& name = record[SenmlField::bn]) name_ = name->text(scratch);
  if (const auto& unit = record[SenmlField::bu]) unit_ = unit->text(scratch);
  if (const auto& time = record[SenmlField::bt]) {
    if (const Outcome read = parse_number(time->raw(), time_); !read.ok()) return read;
  }
  if (const auto& value = record[SenmlField::bv]) {
    if (const Outcome read = parse_number(value->raw(), value_); !read.ok()) return read;
  }
  const auto& version = record[SenmlField::bver];
  return version ? check_version(*version) : Outcome{};
}

std::string SenmlBase::members_beyond(const SenmlRecord& record) const {
  std::string members;
  for (std::size_t i = 0; i < kSenmlBaseFields; ++i) {
    const auto field = static_cast<SenmlField>(i);
    if (!has(field) || record[field]) continue;
    members.append("\"").append(kLabels[i]).append("\":").append(raw_[i]).append(",");
  }
  return members;
}

}  // namespace hb::codec
