#include "decode_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "text.hpp"

namespace hbagent {
namespace {

using nlohmann::json;

constexpr std::size_t kMostShown = 60;  // bytes of what was found instead

std::invalid_argument wrong(const char* member, const char* expected, const json& found) {
  const std::string text = found.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string_view shown = beginning(text, kMostShown);
  return std::invalid_argument(
      fmt::format("\"{}\" must be {}; found {}{}", member, expected, shown, shown.size() < text.size() ? "..." : ""));
}

// Null where it is not there.
const json& member(const json& from, const char* name) {
  static const json kNothing;
  const auto found = from.find(name);
  return found == from.end() ? kNothing : *found;
}

std::optional<std::string> text_member(const json& from, const char* name) {
  const json& found = member(from, name);
  if (found.is_null()) return std::nullopt;
  if (!found.is_string()) throw wrong(name, "a string", found);
  return found.get<std::string>();
}

bool is_hex(const json& from) {
  const json& encoding = member(from, "encoding");
  if (encoding.is_null() || encoding == "utf8") return false;
  if (encoding == "hex") return true;
  throw wrong("encoding", "\"utf8\" or \"hex\"", encoding);
}

void refuse_slips(const json& from) {
  static const std::array<std::string, 6> kMembers = {"topic", "encoding", "payload", "retain", "received_at", "key"};
  for (const auto& [name, value] : from.items()) {
    if (std::find(kMembers.begin(), kMembers.end(), name) != kMembers.end()) continue;
    const std::string meant = nearest(name, kMembers);
    if (meant.empty()) continue;
    throw std::invalid_argument(
        fmt::format("{} is no member of a case; did you mean \"{}\"?", json_quoted(name), meant));
  }
}

json parse_object(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) throw std::invalid_argument("there is nothing on it");
  json object;
  try {
    object = json::parse(line);
  } catch (const json::parse_error& error) {
    throw std::invalid_argument(fmt::format("no JSON: wrong at byte {}", error.byte));
  }
  if (!object.is_object())
    throw std::invalid_argument("must be a JSON object such as {\"topic\":\"t\",\"payload\":\"..\"}");
  return object;
}

}  // namespace

DecodeCase parse_decode_case(std::string_view line) {
  const json object = parse_object(line);
  refuse_slips(object);
  DecodeCase out;
  auto payload = text_member(object, "payload");
  if (!payload) throw std::invalid_argument("\"payload\" is missing");
  if (is_hex(object)) {
    auto bytes = from_hex(*payload);
    if (!bytes) throw wrong("payload", "hex text, two digits a byte", *payload);
    payload = std::move(bytes);
  }
  out.payload = std::move(*payload);
  out.topic = text_member(object, "topic").value_or("");
  if (out.topic.find('\0') != std::string::npos) throw wrong("topic", "text without a NUL", out.topic);
  out.key = text_member(object, "key");
  if (const json& retain = member(object, "retain"); !retain.is_null()) {
    if (!retain.is_boolean()) throw wrong("retain", "true or false", retain);
    out.retained = retain.get<bool>();
  }
  if (const auto received_at = text_member(object, "received_at")) {
    out.received_us = parse_rfc3339(*received_at);
    if (!out.received_us) throw wrong("received_at", "a time such as \"2026-01-01T00:00:00Z\"", *received_at);
  }
  return out;
}

}  // namespace hbagent
