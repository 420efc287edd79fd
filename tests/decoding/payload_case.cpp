#include "payload_case.hpp"

#include <fstream>
#include <stdexcept>

namespace {

using nlohmann::json;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string repeated(const std::string& unit, std::size_t count) {
  std::string out;
  out.reserve(unit.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += unit;
  return out;
}

std::string generated(const json& rule) {
  const std::string name = rule.at("rule");
  const std::size_t count = rule.at("count");
  if (name == "nest") {
    return repeated(rule.at("open"), count) + std::string(rule.at("core")) + repeated(rule.at("close"), count);
  }
  const std::string prefix = rule.at("prefix"), unit = rule.at("unit"), suffix = rule.at("suffix");
  if (name == "repeat") return prefix + repeated(unit, count) + suffix;
  if (name == "repeat_hex") return from_hex(prefix + repeated(unit, count) + suffix);
  if (name != "repeat_indexed") throw std::runtime_error("unknown rule " + name);
  const std::size_t place = unit.find("%d");
  std::string out = prefix;
  for (std::size_t i = 0; i < count; ++i) out += unit.substr(0, place) + std::to_string(i) + unit.substr(place + 2);
  return out + suffix;
}

Expected read_expected(const json& from) {
  Expected out;
  out.reason = from.value("reason", "");
  if (!out.reason.empty()) return out;
  out.customer_id = from.at("customer_id");
  if (!from.at("time").is_null()) out.time = from.at("time").get<std::string>();
  out.heart_rate = from.at("heart_rate");
  return out;
}

PayloadCase read_case(const json& line) {
  PayloadCase out;
  out.id = line.at("id");
  out.mapping = line.at("config");
  out.decoder = out.mapping.at("decoder");
  out.topic_template = out.mapping.at("topic_template");
  out.mapping.erase("topic_template");
  const json& topic = line.at("topic");
  out.topic = topic.is_string() ? topic.get<std::string>() : generated(topic);
  const json& payload = line.at("payload");
  const std::string encoding = line.at("encoding");
  out.payload = encoding == "generator" ? generated(payload)
                : encoding == "hex"     ? from_hex(payload)
                                        : payload.get<std::string>();
  out.received_at = line.value("received_at", "2026-01-15T12:00:00Z");
  out.retained = line.value("retain", false);
  const json& expect = line.at("expect");
  for (const json& each : expect.is_array() ? expect : json::array({expect}))
    out.expected.push_back(read_expected(each));
  return out;
}

}  // namespace

std::vector<PayloadCase> read_payload_cases(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot open " + path);
  std::vector<PayloadCase> cases;
  for (std::string line; std::getline(in, line);) cases.push_back(read_case(json::parse(line)));
  return cases;
}
