#include "plugin_docs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::int64_t kSecond = 1'000'000;  // us

// `allowed` follows the help text: range or choices, in words.
std::string allowed_text(const OptionSpec& spec) {
  if (!spec.choices.empty()) return joined(spec.choices);
  const std::string range = range_text(spec);
  if (spec.unit_us < kSecond) return range;  // finer steps are for nobody to notice
  return (range.empty() ? "" : range + ", ") + "whole " + unit_name(spec.unit_us);
}

std::string wrapped(const std::string& text, const std::string& indent, std::size_t width) {
  std::string out, line;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
      out += indent + line + '\n';
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    start = end + 1;
  }
  return out + indent + line + '\n';
}

// All options, nested ones with their path.
template <class Visit>
void visit_all(const std::vector<OptionSpec>& specs, const std::string& prefix, const Visit& visit) {
  for (const OptionSpec& spec : specs) {
    visit(prefix + spec.key, spec);
    visit_all(spec.fields, prefix + spec.key + (spec.kind == HB_TABLES ? "[]." : "."), visit);
  }
}

std::string default_cell(const OptionSpec& spec) {
  if (spec.required) return "required";
  return spec.default_text.empty() ? "none" : spec.default_text;
}

// Bounds that only say what the type holds may be far from 0.
std::string sample_value(const OptionSpec& spec) {
  const double least = std::max(0.0, spec.minimum.value_or(0));
  if (!spec.example_text.empty()) return spec.example_text;
  if (!spec.default_text.empty()) return spec.default_text;
  switch (spec.kind == HB_LIST ? spec.element : spec.kind) {
    case HB_BOOL:
      return "false";
    case HB_INTEGER:
      return bound_text(HB_INTEGER, least);
    case HB_NUMBER:
      return fmt::format("{:.1f}", least);
    case HB_DURATION:
      return '"' + bound_text(HB_DURATION, std::max({1.0, least, static_cast<double>(spec.unit_us) / 1e6})) + '"';
    case HB_SIZE:
      return "\"1MiB\"";
    case HB_CHOICE:
      return spec.kind == HB_LIST ? "[\"" + spec.choices.front() + "\"]" : '"' + spec.choices.front() + '"';
    default:
      return spec.kind == HB_LIST ? "[]" : "\"\"";
  }
}

void sample_options(std::string& out, const std::vector<OptionSpec>& specs, const std::string& table,
                    const std::string& indent) {
  for (const OptionSpec& spec : specs) {
    const bool nested = spec.kind == HB_TABLE || spec.kind == HB_TABLES || spec.kind == HB_PASS;
    if (nested) continue;
    const std::string allowed = allowed_text(spec);
    out += wrapped(spec.help + (allowed.empty() ? "" : " Allowed: " + allowed + "."), indent + "## ", 110);
    out += fmt::format("{}{}{} = {}\n", indent, spec.required ? "" : "# ", spec.key, sample_value(spec));
  }
  for (const OptionSpec& spec : specs) {
    const std::string name = table + "." + spec.key;
    if (spec.kind == HB_TABLE && !spec.shorthand.empty() && !spec.example_text.empty()) {
      out += wrapped(spec.help, indent + "## ", 110);
      out += fmt::format("{}{}{} = {}\n", indent, spec.required ? "" : "# ", spec.key, spec.example_text);
    } else if (spec.kind == HB_PASS) {
      out += '\n' + wrapped(spec.help, indent + "  ## ", 110);
      out += fmt::format("{0}  # [{1}]\n", indent, name);
      if (!spec.example_text.empty()) out += fmt::format("{}  # {}\n", indent, spec.example_text);
    } else if (spec.kind == HB_TABLE || spec.kind == HB_TABLES) {
      std::string inner;
      sample_options(inner, spec.fields, name, indent + "  ");
      const std::string open = spec.kind == HB_TABLE ? "[" : "[[";
      const std::string close = spec.kind == HB_TABLE ? "]" : "]]";
      out += '\n' + wrapped(spec.help, indent + "  ## ", 110);
      // A table that may be left out is commented out as a whole: an empty one could lack what it requires.
      if (spec.required) {
        out += fmt::format("{}  {}{}{}\n{}", indent, open, name, close, inner);
      } else {
        out += fmt::format("{}  # {}{}{}\n", indent, open, name, close);
        for (std::size_t start = 0; start < inner.size();) {
          const std::size_t end = inner.find('\n', start) + 1;
          const std::string line = inner.substr(start, end - start);
          const std::size_t text = line.find_first_not_of(' ');
          out += line[text] == '#' ? line : line.substr(0, text) + "# " + line.substr(text);
          start = end;
        }
      }
    }
  }
}

std::string escaped_cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
  return text;
}

}  // namespace

std::string plugin_sample(const Plugin& plugin) {
  const std::string kind = kind_word(plugin.kind);
  std::string out = fmt::format("## {}\n[[{}]]\nplugin = \"{}\"\n", plugin.summary, kind, plugin.name);
  sample_options(out, plugin.options, kind, "");
  return out;
}

std::string plugin_help(const Plugin& plugin) {
  std::string out = fmt::format("{} \"{}\" {}\n  {}\n  library: {}\n\nOptions\n", kind_word(plugin.kind), plugin.name,
                                plugin.version, plugin.summary, plugin.library.string());
  const auto describe = [&](const std::string& path, const OptionSpec& spec) {
    const std::string allowed = allowed_text(spec);
    out +=
        fmt::format("  {}  ({}, {}{}{})\n", path, kind_name(spec),
                    spec.required ? "required" : "default " + default_cell(spec), allowed.empty() ? "" : "; ", allowed);
    out +=
        wrapped(spec.help + (spec.secret ? " Secret: may be ${NAME} or file:PATH; never shown." : ""), "      ", 100);
  };
  visit_all(plugin.options, "", describe);
  if (plugin.options.empty()) out += "  none\n";
  out += fmt::format("\nOptions of every {}\n", kind_word(plugin.kind));
  visit_all(agent_keys_of(plugin.kind), "", describe);
  return out + "\nSample\n\n" + plugin_sample(plugin);
}

std::string plugin_markdown(const Plugin& plugin) {
  std::string out =
      fmt::format("### Options of the {} `{}`\n\n{}\n\n", kind_word(plugin.kind), plugin.name, plugin.summary);
  if (plugin.options.empty()) {
    out += "It has no options of its own.\n\n";
  } else {
    out += "| option | kind | default | what it does |\n|---|---|---|---|\n";
    visit_all(plugin.options, "", [&](const std::string& path, const OptionSpec& spec) {
      const std::string allowed = allowed_text(spec);
      out += fmt::format("| `{}` | {} | {} | {}{}{} |\n", path, kind_name(spec),
                         spec.required || spec.default_text.empty() ? default_cell(spec)
                                                                    : "`" + escaped_cell(default_cell(spec)) + "`",
                         escaped_cell(spec.help), allowed.empty() ? "" : " Allowed: " + escaped_cell(allowed) + ".",
                         spec.secret ? " Secret." : "");
    });
    out += '\n';
  }
  return out + "```toml\n" + plugin_sample(plugin) + "```\n";
}

}  // namespace hbagent
