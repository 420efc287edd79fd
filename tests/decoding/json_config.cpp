#include "json_config.hpp"

namespace {

hb_value empty_value(std::uint32_t kind) {
  hb_value value{};
  value.size = sizeof value;
  value.kind = kind;
  return value;
}

std::runtime_error wrong(const hb_option& option, const nlohmann::json& json) {
  return std::runtime_error("option \"" + std::string(option.key) + "\" cannot be " + json.dump());
}

}  // namespace

hb_value JsonConfig::table(const nlohmann::json& json, const hb_option* options, std::size_t count) {
  std::vector<hb_value> values;
  for (const auto& [key, member] : json.items()) {
    const hb_option* found = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
      if (key == options[i].key) found = &options[i];
    }
    if (found == nullptr) throw std::runtime_error("unknown key \"" + key + '"');
    values.push_back(value(member, *found));
    values.back().key = found->key;
  }
  hb_value out = empty_value(HB_TABLE);
  out.count = static_cast<std::uint32_t>(values.size());
  out.items = items_.emplace_back(std::move(values)).data();
  return out;
}

hb_value JsonConfig::value(const nlohmann::json& json, const hb_option& option) {
  if (option.kind == HB_LIST) return list(json, option);
  if (option.kind != HB_TABLE) return scalar(json, option.kind, option);
  if (json.is_object()) return table(json, option.fields, option.field_count);
  if (!json.is_string() || option.shorthand == nullptr) throw wrong(option, json);
  return table(nlohmann::json{{option.shorthand, json}}, option.fields, option.field_count);
}

hb_value JsonConfig::list(const nlohmann::json& json, const hb_option& option) {
  if (!json.is_array()) throw wrong(option, json);
  std::vector<hb_value> values;
  for (const auto& item : json) values.push_back(scalar(item, option.element, option));
  hb_value out = empty_value(HB_LIST);
  out.count = static_cast<std::uint32_t>(values.size());
  out.items = items_.emplace_back(std::move(values)).data();
  return out;
}

hb_value JsonConfig::scalar(const nlohmann::json& json, std::uint32_t kind, const hb_option& option) {
  hb_value out = empty_value(kind);
  if (kind == HB_BOOL && json.is_boolean()) {
    out.integer = json.get<bool>() ? 1 : 0;
  } else if (kind == HB_INTEGER && json.is_number_integer()) {
    out.integer = json.get<std::int64_t>();
  } else if (kind == HB_NUMBER && json.is_number()) {
    out.number = json.get<double>();
  } else if ((kind == HB_STRING || kind == HB_CHOICE) && json.is_string()) {
    out.text = texts_.emplace_back(json.get<std::string>()).c_str();
    out.integer = -1;
    for (std::int64_t i = 0; kind == HB_CHOICE && option.choices[i] != nullptr; ++i) {
      if (json == option.choices[i]) out.integer = i;
    }
    if (kind == HB_CHOICE && out.integer < 0) throw wrong(option, json);
  } else {
    throw wrong(option, json);
  }
  return out;
}
