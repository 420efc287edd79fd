#include "option_spec.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>

namespace hbagent {
namespace {

constexpr std::uint32_t kMaxOptions = 256;
constexpr int kMaxNesting = 4;

std::string text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

struct DurationUnit {
  std::uint32_t attribute;
  std::int64_t us;
  const char* name;
};
constexpr std::array<DurationUnit, 6> kDurationUnits = {{{0, 1, "microseconds"},
                                                         {HB_OPTION_WHOLE_MILLISECONDS, 1'000, "milliseconds"},
                                                         {HB_OPTION_WHOLE_SECONDS, 1'000'000, "seconds"},
                                                         {HB_OPTION_WHOLE_MINUTES, 60'000'000, "minutes"},
                                                         {HB_OPTION_WHOLE_HOURS, 3'600'000'000, "hours"},
                                                         {HB_OPTION_WHOLE_DAYS, 86'400'000'000, "days"}}};

std::vector<OptionSpec> read_table(const hb_option* first, std::uint32_t count, int depth);

OptionSpec read_option(const hb_option& raw, int depth) {
  OptionSpec spec;
  if (raw.key == nullptr || *raw.key == '\0') throw std::runtime_error("an option without a key");
  spec.key = raw.key;
  const auto broken = [&](const std::string& what) {
    return std::runtime_error("option \"" + spec.key + "\": " + what);
  };
  if (raw.kind < HB_BOOL || raw.kind > HB_PASS) throw broken(fmt::format("unknown kind {}", raw.kind));
  spec.kind = raw.kind;
  spec.element = raw.element;
  spec.required = (raw.attributes & HB_OPTION_REQUIRED) != 0;
  spec.secret = (raw.attributes & HB_OPTION_SECRET) != 0;
  spec.help = text_or_empty(raw.help);
  if (spec.help.empty()) throw broken("no help text");
  spec.default_text = text_or_empty(raw.default_text);
  spec.example_text = text_or_empty(raw.example_text);
  spec.shorthand = text_or_empty(raw.shorthand);
  if (raw.minimum != nullptr) spec.minimum = *raw.minimum;
  if (raw.maximum != nullptr) spec.maximum = *raw.maximum;
  for (const DurationUnit& unit : kDurationUnits) {
    if ((raw.attributes & unit.attribute) != 0) spec.unit_us = unit.us;
  }
  for (const char* const* choice = raw.choices; choice != nullptr && *choice != nullptr; ++choice) {
    spec.choices.emplace_back(*choice);
  }
  const bool lists_choices = spec.kind == HB_LIST && spec.element == HB_CHOICE;
  if ((spec.kind == HB_CHOICE || lists_choices) && spec.choices.empty()) throw broken("a choice without choices");
  if (spec.kind == HB_LIST && (spec.element < HB_BOOL || spec.element > HB_CHOICE)) {
    throw broken("a list of no scalar kind");
  }
  if (spec.kind == HB_TABLE || spec.kind == HB_TABLES) spec.fields = read_table(raw.fields, raw.field_count, depth + 1);
  return spec;
}

std::vector<OptionSpec> read_table(const hb_option* first, std::uint32_t count, int depth) {
  if (count == 0) return {};
  if (first == nullptr) throw std::runtime_error("options announced, but none given");
  if (count > kMaxOptions || depth > kMaxNesting) throw std::runtime_error("more options than the agent takes");
  const std::size_t stride = first->size;
  if (stride < offsetof(hb_option, default_text) || stride % alignof(hb_option) != 0) {
    throw std::runtime_error(fmt::format("an option struct of {} bytes cannot be one", stride));
  }
  std::vector<OptionSpec> specs;
  for (std::uint32_t i = 0; i < count; ++i) {
    hb_option raw{};
    std::memcpy(&raw, reinterpret_cast<const char*>(first) + i * stride, std::min(stride, sizeof raw));
    specs.push_back(read_option(raw, depth));
    const auto same_key = [&](const OptionSpec& other) { return other.key == specs.back().key; };
    if (std::count_if(specs.begin(), specs.end(), same_key) > 1) {
      throw std::runtime_error("option \"" + specs.back().key + "\" is declared twice");
    }
  }
  return specs;
}

}  // namespace

std::vector<OptionSpec> read_option_table(const hb_option* first, std::uint32_t count) {
  return read_table(first, count, 0);
}

std::string scalar_kind_name(std::uint32_t kind) {
  static constexpr std::array<const char*, 12> kNames = {
      "?",    "bool",   "integer", "number", "string",          "duration",
      "size", "choice", "list",    "table",  "array of tables", "table"};
  return kind < kNames.size() ? kNames[kind] : "?";
}

std::string unit_name(std::int64_t unit_us) {
  const auto unit = std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                                 [&](const DurationUnit& each) { return each.us == unit_us; });
  return unit == kDurationUnits.end() ? "?" : unit->name;
}

std::string kind_name(const OptionSpec& spec) {
  if (spec.kind == HB_LIST) return "list of " + scalar_kind_name(spec.element);
  if (spec.kind == HB_PASS) return "table of any keys";
  return scalar_kind_name(spec.kind);
}

std::string bound_text(std::uint32_t kind, double bound) {
  struct Unit {
    double factor;
    const char* name;
  };
  static constexpr Unit kSeconds[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}, {1e-3, "ms"}, {1e-6, "us"}};
  static constexpr Unit kBytes[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}};
  const auto in_largest = [&](const auto& units) {
    for (const Unit& unit : units) {
      if (bound >= unit.factor) return fmt::format("{:g}{}", bound / unit.factor, unit.name);
    }
    return fmt::format("0{}", std::end(units)[-1].name);
  };
  if (kind == HB_DURATION) return bound == 0 ? "0s" : in_largest(kSeconds);
  if (kind == HB_SIZE) return in_largest(kBytes);
  return fmt::format("{:.15g}", bound);
}

std::string range_text(const OptionSpec& spec) {
  const std::uint32_t kind = spec.kind == HB_LIST ? spec.element : spec.kind;
  if (spec.minimum && spec.maximum) {
    return bound_text(kind, *spec.minimum) + " to " + bound_text(kind, *spec.maximum);
  }
  if (spec.minimum) return "at least " + bound_text(kind, *spec.minimum);
  if (spec.maximum) return "at most " + bound_text(kind, *spec.maximum);
  return {};
}

}  // namespace hbagent
