#include "dead_letter_line.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::string_view kIdBegin = "{\"id\":";

// What a sink says of an error of its database begins like this; the five characters are those of the SQL standard.
std::string_view sqlstate_in(std::string_view detail) {
  constexpr std::string_view kWord = "SQLSTATE ";
  if (!detail.starts_with(kWord) || detail.size() < kWord.size() + 5) return {};
  const std::string_view state = detail.substr(kWord.size(), 5);
  const bool sound =
      std::all_of(state.begin(), state.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
  const bool ends = detail.size() == kWord.size() + 5 || detail[kWord.size() + 5] == ':';
  return sound && ends ? state : std::string_view();
}

// As text where it is text, else as base64 under another name.
void put_bytes(nlohmann::ordered_json& json, const std::string& name, std::string_view bytes, std::size_t limit) {
  const std::string_view text = beginning(bytes, limit);
  if (is_plain_text(text)) {
    json[name] = text;
  } else {
    json[name + "_base64"] = base64(bytes.substr(0, limit));
  }
}

std::string line_within(const DeadLetter& letter, const LetterStamp& stamp, std::size_t max_payload) {
  nlohmann::ordered_json json;
  json["id"] = stamp.id;
  json["time"] = iso_time(stamp.time_us);
  json["source"] = letter.source;
  json["instance"] = letter.instance;
  json["reason"] = letter.reason;
  if (const auto state = sqlstate_in(letter.detail); !state.empty()) json["sqlstate"] = state;
  if (!letter.detail.empty()) json["detail"] = one_line(beginning(letter.detail, kMaxLetterText));
  if (!letter.origin.empty()) json["origin"] = one_line(beginning(letter.origin, kMaxLetterText));
  if (letter.received_us != 0) json["received_at"] = iso_time(letter.received_us);
  if (stamp.refused_again_us != 0) json["refused_again_at"] = iso_time(stamp.refused_again_us);
  if (letter.key.data() != nullptr) put_bytes(json, "key", letter.key, max_payload);
  put_bytes(json, "payload", letter.payload, max_payload);
  const std::uint64_t size = std::max<std::uint64_t>(letter.original_size, letter.payload.size());
  // Half a key is as little a whole letter as half a payload.
  if (size > letter.payload.size() || letter.payload.size() > max_payload || letter.key.size() > max_payload) {
    json["payload_size"] = size;
    json["truncated"] = true;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

std::optional<std::string> get_bytes(const nlohmann::json& json, const std::string& name) {
  if (const auto text = json.find(name); text != json.end() && text->is_string()) return text->get<std::string>();
  const auto encoded = json.find(name + "_base64");
  if (encoded == json.end() || !encoded->is_string()) return std::nullopt;
  return from_base64(encoded->get_ref<const std::string&>());
}

std::string get_text(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t get_time(const nlohmann::json& json, const char* name) {
  return parse_iso_time(get_text(json, name)).value_or(0);
}

}  // namespace

std::string letter_line(const DeadLetter& letter, const LetterStamp& stamp, std::size_t max_payload,
                        std::size_t max_line) {
  std::string line = line_within(letter, stamp, max_payload);
  // Escapes and base64 take more room than the bytes themselves.
  while (line.size() > max_line && max_payload > 0) {
    max_payload /= 2;
    line = line_within(letter, stamp, max_payload);
  }
  return line;
}

std::optional<std::uint64_t> letter_id(std::string_view line) {
  if (!line.starts_with(kIdBegin)) return std::nullopt;
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(line.data() + kIdBegin.size(), line.data() + line.size(), id);
  return error == std::errc() && id > 0 ? std::optional(id) : std::nullopt;
}

std::optional<StoredLetter> parse_letter(std::string_view line) {
  const auto id = letter_id(line);
  if (!id) return std::nullopt;
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  auto payload = get_bytes(json, "payload");
  StoredLetter letter;
  letter.instance = get_text(json, "instance");
  if (!payload || letter.instance.empty()) return std::nullopt;
  letter.id = *id;
  letter.payload = std::move(*payload);
  letter.time_us = get_time(json, "time");
  letter.refused_again_us = get_time(json, "refused_again_at");
  letter.received_us = get_time(json, "received_at");
  letter.source = get_text(json, "source");
  letter.reason = get_text(json, "reason");
  letter.sqlstate = get_text(json, "sqlstate");
  letter.detail = get_text(json, "detail");
  letter.origin = get_text(json, "origin");
  letter.key = get_bytes(json, "key");
  const auto truncated = json.find("truncated");
  if (truncated != json.end() && *truncated == true) {
    const auto size = json.find("payload_size");
    const bool sound = size != json.end() && size->is_number_unsigned();
    letter.truncated = true;
    letter.original_size = sound ? size->get<std::uint64_t>() : 0;
  }
  return letter;
}

Refuser refuser_of(const StoredLetter& letter) {
  const std::string_view instance = letter.instance;
  const std::size_t slash = std::min(instance.find('/'), instance.size());
  return {instance.substr(0, slash), instance.substr(std::min(slash + 1, instance.size()))};
}

}  // namespace hbagent
