// Records of a SenML pack (RFC 8428) in JSON: their fields, and what the base fields carry over to the records behind.
#pragma once

#include "hbcommon/json.hpp"
#include "hbcommon/number.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hb::codec {

// RFC 8428, table 1; base fields first. `ut` says nothing about a value.
enum class SenmlField : std::uint8_t { bn, bt, bu, bv, bs, bver, n, u, v, vs, vb, vd, s, t };
inline constexpr std::size_t kSenmlFields = 14, kSenmlBaseFields = 6;

// The fields of one record that are known here; the others mean nothing (section 4.4).
class SenmlRecord {
 public:
  // bad_senml for what is no object, and for a field that must be understood (its label ends in "_") and is not.
  // REQUIRES: the object has no key twice.
  Outcome read(JsonValue record);
  const std::optional<JsonValue>& operator[](SenmlField field) const {
    return fields_[static_cast<std::size_t>(field)];
  }
  bool has_base_field() const;

 private:
  std::array<std::optional<JsonValue>, kSenmlFields> fields_;
};

// The base values in force.
class SenmlBase {
 public:
  void clear() { *this = {}; }
  // Takes over the record's base fields. bad_senml where one is of the wrong kind or of no use: then nothing behind it
  // can be read.
  Outcome apply(const SenmlRecord& record);

  const std::string& name() const { return name_; }
  const std::string& unit() const { return unit_; }
  const Decimal& time() const { return time_; }
  bool has_time() const { return has(SenmlField::bt); }
  const Decimal& value() const { return value_; }
  bool has_value() const { return has(SenmlField::bv); }
  // The base fields in force that `record` does not have, as members of an object: `"bn":"x","bt":1,`.
  std::string members_beyond(const SenmlRecord& record) const;

 private:
  bool has(SenmlField field) const { return raw_[static_cast<std::size_t>(field)].data() != nullptr; }

  std::string name_, unit_;
  Decimal time_, value_;
  // As written, strings with their quotes.
  std::array<std::string_view, kSenmlBaseFields> raw_{};
};

}  // namespace hb::codec
