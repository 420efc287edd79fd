#include "mapping_check.hpp"

#include <hbagent/host.hpp>
#include <hbcommon/customer_id.hpp>

#include <array>
#include <initializer_list>
#include <optional>
#include <utility>

namespace hb::codec {
namespace {

constexpr std::array<const char*, 5> kDecoders = {"json", "csv", "scalar", "gatt_hrm", "senml"};
constexpr std::array<const char*, 4> kCustomerFrom = {"field", "topic", "key", "file_name"};

std::string quoted(const char* name) {
  return '"' + std::string(name) + '"';
}

std::string name_of(DecoderKind kind) {
  return quoted(kDecoders.at(static_cast<std::size_t>(kind)));
}

std::string name_of(CustomerFrom from) {
  return quoted(kCustomerFrom.at(static_cast<std::size_t>(from)));
}

// A key of the mapping, and the decoders that have it.
struct Key {
  const char* name;
  bool given;
  DecoderKind decoder;
  std::optional<DecoderKind> other = std::nullopt;
};

void check_keys(const Mapping& mapping) {
  const CustomerIdMapping& id = mapping.customer_id;
  const HeartRateMapping& rate = mapping.heart_rate;
  const TimeMapping& time = mapping.time;
  for (const Key& key : {
           Key{"customer_id.pointer", id.pointer.has_value(), DecoderKind::json},
           Key{"customer_id.scope", id.scope != Scope::element, DecoderKind::json},
           Key{"customer_id.column", id.column.has_value(), DecoderKind::csv},
           Key{"customer_id.header", id.header.has_value(), DecoderKind::csv},
           Key{"customer_id.senml", id.senml.has_value(), DecoderKind::senml},
           Key{"customer_id.strip_suffix", !id.strip_suffix.empty(), DecoderKind::senml},
           Key{"heart_rate.pointer", rate.pointer.has_value(), DecoderKind::json},
           Key{"heart_rate.pointers", !rate.pointers.empty(), DecoderKind::json},
           Key{"heart_rate.numeric_strings", rate.numeric_strings, DecoderKind::json, DecoderKind::csv},
           Key{"heart_rate.column", rate.column.has_value(), DecoderKind::csv},
           Key{"heart_rate.header", rate.header.has_value(), DecoderKind::csv},
           Key{"heart_rate.name", rate.name.has_value(), DecoderKind::senml},
           Key{"heart_rate.units", !rate.units.empty(), DecoderKind::senml},
           Key{"time.pointer", time.pointer.has_value(), DecoderKind::json},
           Key{"time.numeric_strings", time.numeric_strings, DecoderKind::json, DecoderKind::csv},
           Key{"time.column", time.column.has_value(), DecoderKind::csv},
           Key{"time.header", time.header.has_value(), DecoderKind::csv},
           Key{"time.senml", time.senml, DecoderKind::senml},
           Key{"each", mapping.each.has_value(), DecoderKind::json},
           Key{"guard", mapping.guard.has_value(), DecoderKind::json},
           Key{"input_encoding", mapping.input_encoding != InputEncoding::bytes, DecoderKind::gatt_hrm},
       }) {
    if (!key.given || key.decoder == mapping.decoder || key.other == mapping.decoder) continue;
    mapping_error(std::string(key.name) + ": belongs to decoder " + name_of(key.decoder) +
                  (key.other ? " or " + name_of(*key.other) : "") + "; this one is " + name_of(mapping.decoder));
  }
}

// The keys of one table that say where something is: at most one may. Returns whether one does.
bool names_one(const char* table, std::initializer_list<std::pair<const char*, bool>> keys) {
  const char* first = nullptr;
  for (const auto& [name, given] : keys) {
    if (!given) continue;
    if (first != nullptr) mapping_error(std::string(table) + ": " + first + " and " + name + " at once");
    first = name;
  }
  return first != nullptr;
}

// What to give where a table says nothing: the keys of this decoder.
const char* places(DecoderKind kind) {
  switch (kind) {
    case DecoderKind::json:
      return "a pointer";
    case DecoderKind::csv:
      return "a column or a header";
    case DecoderKind::senml:
      return "senml";
    case DecoderKind::scalar:
    case DecoderKind::gatt_hrm:
      break;
  }
  return nullptr;
}

void check_customer(const Mapping& mapping, CustomerFrom offered) {
  const CustomerIdMapping& id = mapping.customer_id;
  const bool named = names_one("customer_id", {{"pointer", id.pointer.has_value()},
                                               {"const", id.constant.has_value()},
                                               {"column", id.column.has_value()},
                                               {"header", id.header.has_value()},
                                               {"senml", id.senml.has_value()}});
  if (id.constant) {
    if (const Outcome checked = check_customer_id(*id.constant); !checked.ok()) {
      mapping_error("customer_id.const: is no customer id: " + std::string(checked.detail));
    }
  }
  if (id.scope != Scope::element && !id.pointer) mapping_error("customer_id.scope: belongs to customer_id.pointer");
  if (!id.strip_suffix.empty() && !id.senml) mapping_error("customer_id.strip_suffix: belongs to customer_id.senml");
  if (id.from == CustomerFrom::field) {
    if (named) return;
    const char* const place = places(mapping.decoder);
    mapping_error("customer_id: say where the id is: " + (place != nullptr ? place + std::string(", ") : "") +
                  (offered == CustomerFrom::field ? "" : name_of(offered) + ", ") + "or a const");
  }
  if (named) mapping_error("customer_id: " + name_of(id.from) + " and a field at once");
  if (id.from != offered) {
    mapping_error("customer_id: this plugin knows no " + name_of(id.from) +
                  (offered == CustomerFrom::field ? "" : "; it has " + name_of(offered)));
  }
}

void check_heart_rate(const Mapping& mapping) {
  const HeartRateMapping& rate = mapping.heart_rate;
  const bool named = names_one("heart_rate", {{"pointer", rate.pointer.has_value()},
                                              {"pointers", !rate.pointers.empty()},
                                              {"column", rate.column.has_value()},
                                              {"header", rate.header.has_value()}});
  if (mapping.decoder == DecoderKind::json && !named) mapping_error("heart_rate: give a pointer, or pointers");
  if (mapping.decoder == DecoderKind::csv && !named) mapping_error("heart_rate: give a column or a header");
  if (mapping.decoder == DecoderKind::senml && !rate.name && rate.units.empty()) {
    mapping_error("heart_rate: give the name or the units of the records that hold heart rates");
  }
}

void check_time(const Mapping& mapping) {
  const TimeMapping& time = mapping.time;
  const bool named = names_one("time", {{"pointer", time.pointer.has_value()},
                                        {"column", time.column.has_value()},
                                        {"header", time.header.has_value()},
                                        {"senml", time.senml}});
  if (time.from == TimeFrom::receive && named) mapping_error("time: \"receive\" and a field at once");
  if (time.from == TimeFrom::field && !named) {
    const char* const place = places(mapping.decoder);
    mapping_error(place != nullptr ? "time: say where the time is: " + std::string(place) + ", or time = \"receive\""
                                   : "time: decoder " + name_of(mapping.decoder) +
                                         " has no time of its own: say time = \"receive\"");
  }
  if (time.from == TimeFrom::receive || time.senml) {
    const char* const form = time.format != TimeFormat::iso8601 ? "time.format"
                             : !time.naive_zone.empty()         ? "time.naive_zone"
                             : time.allow_date_only             ? "time.allow_date_only"
                             : time.numeric_strings             ? "time.numeric_strings"
                                                                : nullptr;
    if (form != nullptr) mapping_error(std::string(form) + ": belongs to a time.pointer, a column or a header");
  }
  if ((time.format == TimeFormat::strftime) == time.pattern.empty()) {
    mapping_error("time.pattern: belongs to time.format = \"strftime\", and that needs one");
  }
}

}  // namespace

void mapping_error(const std::string& text) {
  throw Failed(text);
}

void check_mapping(const Mapping& mapping, CustomerFrom offered) {
  check_keys(mapping);
  check_customer(mapping, offered);
  check_heart_rate(mapping);
  check_time(mapping);
  if (mapping.guard && !mapping.guard->equals && !mapping.guard->min) mapping_error("guard: give equals or min");
}

}  // namespace hb::codec
