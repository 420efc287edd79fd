// A plugin's option table as the agent holds it: read once from the C table by the ABI's size rule, and checked.
#pragma once

#include <hbagent/plugin.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hbagent {

struct OptionSpec {
  std::string key;
  std::uint32_t kind = 0;     // HB_BOOL ...
  std::uint32_t element = 0;  // of an HB_LIST
  bool required = false;
  bool secret = false;
  std::string help;
  std::string default_text;  // as written in TOML; empty: none
  std::string example_text;  // as written in TOML; empty: the default
  std::optional<double> minimum, maximum;
  std::int64_t unit_us = 1;  // durations: only whole multiples of it
  std::vector<std::string> choices;
  std::vector<OptionSpec> fields;
  std::string shorthand;
};

// Reads `count` options. Throws std::runtime_error, naming the option, when the table breaks the ABI's rules.
std::vector<OptionSpec> read_option_table(const hb_option* first, std::uint32_t count);

// "integer", "duration", "list of string": for messages and documentation.
std::string kind_name(const OptionSpec& spec);
std::string scalar_kind_name(std::uint32_t kind);
// "milliseconds" for 1000.
std::string unit_name(std::int64_t unit_us);
// "1 to 300", "at least 1ms"; empty where there is no bound.
std::string range_text(const OptionSpec& spec);
// The bound as a person writes it for that kind: "5s", "64MiB", "300".
std::string bound_text(std::uint32_t kind, double bound);

}  // namespace hbagent
