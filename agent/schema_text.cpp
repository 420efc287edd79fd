// How durations, sizes and environment references are written.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "schema.hpp"

namespace hbagent {
namespace {

struct Unit {
  const char* name;
  double factor;
};

template <std::size_t Count>
std::optional<std::int64_t> parse_with_unit(const std::string& text, const Unit (&units)[Count]) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [unit_start, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view unit_name(unit_start, static_cast<std::size_t>(end - unit_start));
  for (const Unit& unit : units) {
    if (unit_name != unit.name) continue;
    const double value = number * unit.factor;
    if (value >= 9.2e18) return std::nullopt;
    return std::llround(value);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_duration(const std::string& text) {
  static constexpr Unit kUnits[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 6e7}, {"h", 3.6e9}, {"d", 8.64e10}};
  return parse_with_unit(text, kUnits);
}

std::optional<std::int64_t> parse_size(const std::string& text) {
  static constexpr Unit kUnits[] = {
      {"B", 1},    {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
      {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},        {"TB", 1e12}};
  return parse_with_unit(text, kUnits);
}

std::optional<std::string> expand_environment(const std::string& text, std::string& error, References* used) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      out += text[at++];
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next == '$') {
      out += '$';
      at += 2;
      continue;
    }
    if (next != '{') {
      out += text[at++];
      continue;
    }
    const std::size_t close = text.find('}', at);
    if (close == std::string::npos) {
      error = "\"${\" without \"}\"; write $$ for a plain dollar sign";
      return std::nullopt;
    }
    const std::string inner = text.substr(at + 2, close - at - 2);
    const std::size_t dash = inner.find(":-");
    const std::string name = inner.substr(0, dash);
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) {
      out += value;
      if (used != nullptr) used->emplace_back(value, text.substr(at, close - at + 1));
    } else if (dash != std::string::npos) {
      out += inner.substr(dash + 2);
    } else {
      error = "the environment variable " + name + " is not set; set it, or give a default as ${" + name + ":-...}";
      return std::nullopt;
    }
    at = close + 1;
  }
  return out;
}

}  // namespace hbagent
