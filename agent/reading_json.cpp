#include "reading_json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::pair<std::uint16_t, const char*> kFlags[] = {{HB_FLAG_LOW, "low"},
                                                            {HB_FLAG_HIGH, "high"},
                                                            {HB_FLAG_JUMP, "jump"},
                                                            {HB_FLAG_FLATLINE, "flatline"},
                                                            {HB_FLAG_CLOCK, "clock"}};

bool take_customer_id(const nlohmann::json& value, hb_reading& reading) {
  if (!value.is_string()) return false;
  const auto& id = value.get_ref<const std::string&>();
  if (id.empty() || id.size() >= HB_CUSTOMER_ID_CAPACITY) return false;
  if (id.find('\0') != std::string::npos || id.find("\xEF\xBF\xBD") != std::string::npos) return false;
  std::copy(id.begin(), id.end(), std::begin(reading.customer_id));
  return true;
}

bool take_flags(const nlohmann::json& names, hb_reading& reading) {
  if (!names.is_array()) return false;
  for (const auto& name : names) {
    const auto known =
        std::find_if(std::begin(kFlags), std::end(kFlags), [&](const auto& flag) { return name == flag.second; });
    if (known == std::end(kFlags)) return false;
    reading.flags = static_cast<std::uint16_t>(reading.flags | known->first);
  }
  return true;
}

bool take_heart_rate(const nlohmann::json& value, hb_reading& reading) {
  if (!value.is_number_integer()) return false;
  const auto number = value.get<double>();  // holds every int32, and no integer that is too large becomes one
  if (number < std::numeric_limits<std::int32_t>::min() || number > std::numeric_limits<std::int32_t>::max()) {
    return false;
  }
  reading.heart_rate = static_cast<std::int32_t>(number);
  return true;
}

}  // namespace

std::string reading_as_json(const hb_reading& reading, JsonFlags flags) {
  nlohmann::ordered_json json;
  const auto* id_end = std::find(std::begin(reading.customer_id), std::end(reading.customer_id), '\0');
  json["customer_id"] = std::string(std::begin(reading.customer_id), id_end);
  json["time"] = iso_time(reading.time_us);
  json["heart_rate"] = reading.heart_rate;
  if (flags == JsonFlags::always) json["flags"] = nlohmann::ordered_json::array();
  for (const auto& [bit, name] : kFlags) {
    if ((reading.flags & bit) != 0) json["flags"].push_back(name);
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<hb_reading> reading_from_json(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("customer_id") || !json.contains("time") || !json.contains("heart_rate")) {
    return std::nullopt;
  }
  hb_reading reading{};
  if (!take_customer_id(json["customer_id"], reading) || !take_heart_rate(json["heart_rate"], reading)) {
    return std::nullopt;
  }
  const auto time =
      json["time"].is_string() ? parse_iso_time(json["time"].get_ref<const std::string&>()) : std::nullopt;
  if (!time) return std::nullopt;
  reading.time_us = *time;
  if (json.contains("flags") && !take_flags(json["flags"], reading)) return std::nullopt;
  return reading;
}

}  // namespace hbagent
