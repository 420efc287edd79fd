// Checks TOML tables against option tables and turns them into values. The one place that knows how each option kind
// is written.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "key_places.hpp"
#include "option_spec.hpp"
#include "problems.hpp"
#include "values.hpp"

namespace hbagent {

class SchemaReader {
 public:
  // `subject` opens every message: `sink "alerts"`.
  SchemaReader(Problems& problems, ValueTree& tree, std::string subject)
      : problems_(problems), tree_(tree), subject_(std::move(subject)) {}

  // Keys of the table that none of the specs has are problems.
  void check_keys(const toml::table& table, std::span<const OptionSpec> specs, std::span<const OptionSpec> others = {},
                  const std::string& path = "");
  // The values of `specs` in `table`, given or defaulted, in the order of `specs`. What cannot be read is a problem and
  // absent from the result.
  std::vector<hb_value> read(const toml::table& table, std::span<const OptionSpec> specs, const std::string& path = "");

 private:
  std::optional<hb_value> read_value(const toml::node& node, const OptionSpec& spec, const std::string& path);
  std::optional<hb_value> read_scalar(const toml::node& node, std::uint32_t kind, const OptionSpec& spec,
                                      const std::string& path);
  std::optional<hb_value> read_text(const toml::node& node, std::uint32_t kind, const std::string& text,
                                    const OptionSpec& spec, const std::string& path);
  std::optional<hb_value> read_list(const toml::node& node, const OptionSpec& spec, const std::string& path);
  std::optional<hb_value> read_nested(const toml::node& node, const OptionSpec& spec, const std::string& path);
  std::optional<hb_value> read_shorthand(const toml::node& node, const OptionSpec& spec, const std::string& path);
  std::optional<hb_value> read_absent(const toml::node& around, const OptionSpec& spec, const std::string& path);
  void add_value(std::optional<hb_value> value, const OptionSpec& spec, std::vector<hb_value>& values);
  std::optional<hb_value> read_tables(const toml::node& node, const OptionSpec& spec, const std::string& path);
  std::optional<hb_value> read_pass_through(const toml::node& node, const std::string& path);
  std::optional<std::string> expanded(const toml::node& node, const std::string& text, bool secret,
                                      const std::string& path);
  bool in_range(const toml::node& node, double value, std::uint32_t kind, const OptionSpec& spec,
                const std::string& path);
  // `kind`: the one that is asked for, that of the spec or of an element of its list.
  void wrong_kind(const toml::node& node, const OptionSpec& spec, std::uint32_t kind, const std::string& path);
  void problem(const toml::node& node, const std::string& text);

  Problems& problems_;
  ValueTree& tree_;
  std::string subject_;
};

Place place_of(const toml::node& node);
// Of every key of the table, and of the tables and lists in it: where its value begins.
KeyPlaces key_places_of(const toml::table& table);
// A spec's default or example, parsed. Empty where it has none. Throws std::runtime_error where the text is no TOML.
std::optional<toml::table> parse_snippet(const std::string& key, const std::string& text);
// "5s" and "64MiB" as microseconds and bytes; empty when `text` is none.
std::optional<std::int64_t> parse_duration(const std::string& text);
std::optional<std::int64_t> parse_size(const std::string& text);
// ${NAME}, ${NAME:-default} and $$ replaced. On failure `error` says why. `used`: the values of the environment's
// variables that are in the result, each with the reference that stood for it.
using References = std::vector<std::pair<std::string, std::string>>;
std::optional<std::string> expand_environment(const std::string& text, std::string& error, References* used = nullptr);

}  // namespace hbagent
