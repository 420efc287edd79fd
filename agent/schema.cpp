#include "schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kMaxSecretFile = 64UL * 1024;

// As the file has it: what an environment reference stands for may be a secret, wherever it is used.
std::string found_text(const toml::node& node, bool secret) {
  std::ostringstream out;
  out << std::boolalpha << node.type();
  if (secret && !node.is_table() && !node.is_array()) return out.str() + " (not shown)";
  if (node.is_table() || node.is_array()) return fmt::format("{}", out.str() == "table" ? "a table" : "an array");
  node.visit([&](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) {
      if constexpr (toml::is_string<decltype(value)>) {
        out << " \"" << value.get() << '"';
      } else {
        out << ' ' << value.get();
      }
    }
  });
  return out.str();
}

// A value that came as text, because it is an environment reference, read as the scalar it stands for.
std::optional<hb_value> scalar_from_text(std::uint32_t kind, const std::string& text) {
  if (kind == HB_BOOL && (text == "true" || text == "false")) return ValueTree::scalar(HB_BOOL, text == "true");
  if (kind != HB_INTEGER && kind != HB_NUMBER) return std::nullopt;
  try {
    const toml::table table = toml::parse("v = " + text);
    if (const auto integer = table["v"].as_integer()) {
      return ValueTree::scalar(kind, integer->get(), static_cast<double>(integer->get()));
    }
    if (const auto number = table["v"].as_floating_point(); number != nullptr && kind == HB_NUMBER) {
      return ValueTree::scalar(kind, 0, number->get());
    }
  } catch (const toml::parse_error&) {  // no number: the caller names the kind that is expected
  }
  return std::nullopt;
}

std::string quoted(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "\"" : ", \"") + text + '"';
  return all;
}

const char* hint_for(std::uint32_t kind) {
  if (kind == HB_DURATION) return R"( such as "250ms", "5s" or "2h")";
  if (kind == HB_SIZE) return R"( such as "64KiB" or "1GiB")";
  return "";
}

// The first key of the table that shows what to write there: ` such as { pointer = "/time" }`.
std::string table_hint(const OptionSpec& spec) {
  const auto shown = std::find_if(spec.fields.begin(), spec.fields.end(),
                                  [](const OptionSpec& field) { return !field.example_text.empty(); });
  return shown == spec.fields.end() ? "" : fmt::format(" such as {{ {} = {} }}", shown->key, shown->example_text);
}

// A key that belongs into one of the tables: "subscription.topic". Empty where none is like it.
std::string nearest_within(const std::string& name, std::span<const OptionSpec> specs) {
  for (const OptionSpec& spec : specs) {
    std::vector<std::string> keys;
    for (const OptionSpec& field : spec.fields) keys.push_back(field.key);
    if (const std::string meant = nearest(name, keys); !meant.empty()) return spec.key + '.' + meant;
  }
  return {};
}

bool is_none_of_its_choices(const std::string& text, const OptionSpec& spec) {
  return spec.kind == HB_CHOICE && text.find('$') == std::string::npos &&
         std::find(spec.choices.begin(), spec.choices.end(), text) == spec.choices.end();
}

// `kind`: of the spec, or of an element of its list.
std::string what_it_must_be(const OptionSpec& spec, std::uint32_t kind) {
  if (kind == HB_CHOICE) return "one of " + quoted(spec.choices) + ", in quotes";
  if (kind == HB_LIST && spec.element == HB_CHOICE) return "a list of " + quoted(spec.choices) + ", each in quotes";
  if (kind == HB_TABLES) return "an array of tables, each under a header in double brackets ([[...]])";
  if (kind == HB_TABLE) return "a table" + table_hint(spec);
  const std::string name = kind == spec.kind ? kind_name(spec) : scalar_kind_name(kind);
  return (name == "integer" ? "an " : "a ") + name + hint_for(kind == HB_LIST ? spec.element : kind);
}

}  // namespace

Place place_of(const toml::node& node) {
  return {static_cast<unsigned>(node.source().begin.line), static_cast<unsigned>(node.source().begin.column)};
}

std::optional<toml::table> parse_snippet(const std::string& key, const std::string& text) {
  if (text.empty()) return std::nullopt;
  try {
    return toml::parse(key + " = " + text);
  } catch (const toml::parse_error& error) {
    throw std::runtime_error(fmt::format("option \"{}\": its text {} is no TOML: {}", key, text, error.description()));
  }
}

void SchemaReader::problem(const toml::node& node, const std::string& text) {
  problems_.add(place_of(node), subject_.empty() ? text : subject_ + ": " + text);
}

void SchemaReader::check_keys(const toml::table& table, std::span<const OptionSpec> specs,
                              std::span<const OptionSpec> others, const std::string& path) {
  std::vector<std::string> known;
  for (const auto* list : {&specs, &others}) {
    for (const OptionSpec& spec : *list) known.push_back(spec.key);
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string meant = nearest(name, known);
    if (meant.empty()) meant = nearest_within(name, specs);
    if (meant.empty()) meant = nearest_within(name, others);
    const Place place{static_cast<unsigned>(key.source().begin.line), static_cast<unsigned>(key.source().begin.column)};
    problems_.add(
        place, fmt::format("{}unknown key \"{}{}\";{} allowed: {}", subject_.empty() ? "" : subject_ + ": ", path, name,
                           meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant), joined(known)));
  }
}

std::vector<hb_value> SchemaReader::read(const toml::table& table, std::span<const OptionSpec> specs,
                                         const std::string& path) {
  std::vector<hb_value> values;
  for (const OptionSpec& spec : specs) {
    const toml::node* const node = table.get(spec.key);
    add_value(node != nullptr ? read_value(*node, spec, path + spec.key) : read_absent(table, spec, path), spec,
              values);
  }
  return values;
}

std::optional<hb_value> SchemaReader::read_absent(const toml::node& around, const OptionSpec& spec,
                                                  const std::string& path) {
  if (spec.required) {
    problem(around, fmt::format("\"{}{}\" is missing: {} ({})", path, spec.key, spec.help, kind_name(spec)));
  } else if (const auto fallback = parse_snippet(spec.key, spec.default_text)) {
    return read_value(*fallback->get(spec.key), spec, path + spec.key);
  }
  return std::nullopt;
}

void SchemaReader::add_value(std::optional<hb_value> value, const OptionSpec& spec, std::vector<hb_value>& values) {
  if (!value) return;
  value->key = tree_.keep(spec.key);
  values.push_back(*value);
}

std::optional<hb_value> SchemaReader::read_value(const toml::node& node, const OptionSpec& spec,
                                                 const std::string& path) {
  switch (spec.kind) {
    case HB_LIST:
      return read_list(node, spec, path);
    case HB_TABLE:
      return read_nested(node, spec, path);
    case HB_TABLES:
      return read_tables(node, spec, path);
    case HB_PASS:
      return read_pass_through(node, path);
    default:
      return read_scalar(node, spec.kind, spec, path);
  }
}

void SchemaReader::wrong_kind(const toml::node& node, const OptionSpec& spec, std::uint32_t kind,
                              const std::string& path) {
  problem(node,
          fmt::format("\"{}\" must be {}, found {}", path, what_it_must_be(spec, kind), found_text(node, spec.secret)));
}

bool SchemaReader::in_range(const toml::node& node, double value, std::uint32_t kind, const OptionSpec& spec,
                            const std::string& path) {
  const double scaled = kind == HB_DURATION ? value / 1e6 : value;
  // Bounds are seconds as binary fractions: compare with room for the last microsecond.
  const double slack = kind == HB_DURATION ? 1e-9 : 0;
  const bool fits =
      (!spec.minimum || scaled >= *spec.minimum - slack) && (!spec.maximum || scaled <= *spec.maximum + slack);
  if (!fits) {
    problem(node, fmt::format("\"{}\" is out of range: found {}, allowed {}", path, found_text(node, spec.secret),
                              range_text(spec)));
  }
  return fits;
}

std::optional<hb_value> SchemaReader::read_scalar(const toml::node& node, std::uint32_t kind, const OptionSpec& spec,
                                                  const std::string& path) {
  if (const auto* text = node.as_string()) return read_text(node, kind, text->get(), spec, path);
  if (const auto* flag = node.as_boolean(); flag != nullptr && kind == HB_BOOL) {
    return ValueTree::scalar(kind, flag->get() ? 1 : 0);
  }
  if (const auto* integer = node.as_integer(); integer != nullptr && (kind == HB_INTEGER || kind == HB_NUMBER)) {
    const auto number = static_cast<double>(integer->get());
    if (!in_range(node, number, kind, spec, path)) return std::nullopt;
    return ValueTree::scalar(kind, integer->get(), number);
  }
  if (const auto* number = node.as_floating_point(); number != nullptr && kind == HB_NUMBER) {
    if (!std::isfinite(number->get())) {
      problem(node, fmt::format("\"{}\" must be a finite number", path));
      return std::nullopt;
    }
    if (!in_range(node, number->get(), kind, spec, path)) return std::nullopt;
    return ValueTree::scalar(kind, 0, number->get());
  }
  wrong_kind(node, spec, kind, path);
  return std::nullopt;
}

std::optional<std::string> SchemaReader::expanded(const toml::node& node, const std::string& text, bool secret,
                                                  const std::string& path) {
  std::string error;
  References used;
  auto value = expand_environment(text, error, &used);
  for (auto& [found, written] : used) tree_.hide(std::move(found), std::move(written));
  if (!value) {
    problem(node, fmt::format("\"{}\": {}", path, error));
    return std::nullopt;
  }
  static constexpr std::string_view kFile = "file:";
  if (!secret || value->rfind(kFile, 0) != 0) return value;
  const std::string file = value->substr(kFile.size());
  // The path as the file has it: a reference in it may be a secret put in the wrong place.
  const std::string shown = text.rfind(kFile, 0) == 0 ? text.substr(kFile.size()) : text;
  std::ifstream in(file, std::ios::binary);
  std::string content(kMaxSecretFile + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (in.bad() || (in.fail() && !in.eof())) {
    problem(node, fmt::format("\"{}\": cannot read the secret file {}", path, shown));
    return std::nullopt;
  }
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > kMaxSecretFile) {
    problem(node, fmt::format("\"{}\": the secret file {} is longer than {} bytes", path, shown, kMaxSecretFile));
    return std::nullopt;
  }
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
  tree_.hide(content, text);
  return content;
}

std::optional<hb_value> SchemaReader::read_text(const toml::node& node, std::uint32_t kind, const std::string& text,
                                                const OptionSpec& spec, const std::string& path) {
  const auto value = expanded(node, text, spec.secret, path);
  if (!value) return std::nullopt;
  if (kind == HB_STRING) {
    if (value->find('\0') != std::string::npos) {
      problem(node, fmt::format("\"{}\" must not hold a NUL character", path));
      return std::nullopt;
    }
    if (spec.required && value->empty()) {
      problem(node, fmt::format("\"{}\" must not be empty: {}", path, spec.help));
      return std::nullopt;
    }
    return tree_.text(kind, *value);
  }
  if (kind == HB_CHOICE) {
    const auto choice = std::find(spec.choices.begin(), spec.choices.end(), *value);
    if (choice != spec.choices.end()) return tree_.text(kind, *value, choice - spec.choices.begin());
    const std::string meant = spec.secret ? "" : nearest(*value, spec.choices);
    problem(node, fmt::format("\"{}\": found {};{} allowed: {}", path,
                              spec.secret ? "a string (not shown)" : '"' + text + '"',
                              meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant), joined(spec.choices)));
    return std::nullopt;
  }
  std::optional<hb_value> parsed;
  if (kind == HB_DURATION || kind == HB_SIZE) {
    const auto amount = kind == HB_DURATION ? parse_duration(*value) : parse_size(*value);
    if (amount) parsed = ValueTree::scalar(kind, *amount, static_cast<double>(*amount));
  } else if (*value != text) {
    parsed = scalar_from_text(kind, *value);
  }
  if (!parsed) {
    wrong_kind(node, spec, kind, path);
    return std::nullopt;
  }
  if (kind != HB_BOOL && !in_range(node, parsed->number, kind, spec, path)) return std::nullopt;
  if (kind == HB_DURATION && parsed->integer % spec.unit_us != 0) {
    problem(node, fmt::format("\"{}\" must be a whole number of {}, found {}", path, unit_name(spec.unit_us),
                              found_text(node, spec.secret)));
    return std::nullopt;
  }
  return parsed;
}

std::optional<hb_value> SchemaReader::read_list(const toml::node& node, const OptionSpec& spec,
                                                const std::string& path) {
  const auto* array = node.as_array();
  if (array == nullptr) {
    wrong_kind(node, spec, spec.kind, path);
    return std::nullopt;
  }
  std::vector<hb_value> items;
  bool sound = true;
  for (const toml::node& element : *array) {
    const auto item = read_scalar(element, spec.element, spec, fmt::format("{}[{}]", path, items.size()));
    sound = sound && item.has_value();
    if (item) items.push_back(*item);
  }
  if (sound && spec.required && items.empty()) {
    problem(node, fmt::format("\"{}\" must not be empty: {}", path, spec.help));
    return std::nullopt;
  }
  if (!sound) return std::nullopt;
  return tree_.composite(HB_LIST, std::move(items));
}

std::optional<hb_value> SchemaReader::read_nested(const toml::node& node, const OptionSpec& spec,
                                                  const std::string& path) {
  if (const auto* nested = node.as_table()) {
    check_keys(*nested, spec.fields, {}, path + ".");
    return tree_.composite(HB_TABLE, read(*nested, spec.fields, path + "."));
  }
  if (node.is_string() && !spec.shorthand.empty()) {
    return read_shorthand(node, spec, path);
  }
  wrong_kind(node, spec, spec.kind, path);
  return std::nullopt;
}

// A text in the place of a table: the value of one of its keys, and nothing of the others.
std::optional<hb_value> SchemaReader::read_shorthand(const toml::node& node, const OptionSpec& spec,
                                                     const std::string& path) {
  std::vector<hb_value> values;
  for (const OptionSpec& field : spec.fields) {
    if (field.key != spec.shorthand) {
      add_value(read_absent(node, field, path + "."), field, values);
    } else if (is_none_of_its_choices(node.as_string()->get(), field)) {
      problem(node, fmt::format("\"{}\": found {}; allowed: {}, or a table{}", path, found_text(node, field.secret),
                                joined(field.choices), table_hint(spec)));
    } else {
      add_value(read_value(node, field, path), field, values);
    }
  }
  return tree_.composite(HB_TABLE, std::move(values));
}

std::optional<hb_value> SchemaReader::read_tables(const toml::node& node, const OptionSpec& spec,
                                                  const std::string& path) {
  const auto* array = node.as_array();
  if (array == nullptr ||
      !std::all_of(array->begin(), array->end(), [](const auto& each) { return each.is_table(); })) {
    wrong_kind(node, spec, spec.kind, path);
    return std::nullopt;
  }
  std::vector<hb_value> items;
  for (const toml::node& element : *array) {
    const std::string item_path = fmt::format("{}[{}].", path, items.size());
    check_keys(*element.as_table(), spec.fields, {}, item_path);
    items.push_back(tree_.composite(HB_TABLE, read(*element.as_table(), spec.fields, item_path)));
  }
  if (spec.required && items.empty()) problem(node, fmt::format("\"{}\" must not be empty: {}", path, spec.help));
  return tree_.composite(HB_TABLES, std::move(items));
}

std::optional<hb_value> SchemaReader::read_pass_through(const toml::node& node, const std::string& path) {
  const auto* table = node.as_table();
  if (table == nullptr) {
    problem(node, fmt::format("\"{}\" must be a table, found {}", path, found_text(node, false)));
    return std::nullopt;
  }
  std::vector<hb_value> items;
  for (const auto& [key, item] : *table) {
    const std::string item_path = path + "." + std::string(key.str());
    std::optional<std::string> text;
    if (const auto* string = item.as_string()) {
      text = expanded(item, string->get(), true, item_path);
    } else if (const auto* integer = item.as_integer()) {
      text = std::to_string(integer->get());
    } else if (const auto* number = item.as_floating_point()) {
      text = fmt::format("{}", number->get());
    } else if (const auto* flag = item.as_boolean()) {
      text = flag->get() ? "true" : "false";
    } else {
      problem(item,
              fmt::format("\"{}\" must be a string, number or bool, found {}", item_path, found_text(item, true)));
    }
    if (!text) continue;
    hb_value value = tree_.text(HB_STRING, *text);
    value.key = tree_.keep(key.str());
    items.push_back(value);
  }
  return tree_.composite(HB_PASS, std::move(items));
}

}  // namespace hbagent
