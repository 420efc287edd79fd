#include "hbcommon/json_pointer.hpp"

#include <stdexcept>

namespace hb::codec {
namespace {

// ~1 is a slash, ~0 a tilde (RFC 6901, section 3).
std::string unescaped(std::string_view step) {
  std::string out;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '~') {
      out.push_back(step[i]);
    } else if (i + 1 < step.size() && (step[i + 1] == '0' || step[i + 1] == '1')) {
      out.push_back(step[++i] == '0' ? '~' : '/');
    } else {
      throw std::invalid_argument("a JSON pointer has ~ only in ~0 (for ~) and ~1 (for /)");
    }
  }
  return out;
}

std::vector<std::string_view> split_steps(std::string_view text) {
  std::vector<std::string_view> steps;
  if (text.empty()) return steps;
  if (text[0] != '/') throw std::invalid_argument("a JSON pointer is empty or starts with a slash");
  text.remove_prefix(1);
  while (true) {
    const std::size_t slash = text.find('/');
    steps.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return steps;
    text.remove_prefix(slash + 1);
  }
}

}  // namespace

JsonPointer::JsonPointer(std::string_view text) {
  for (const std::string_view step : split_steps(text)) steps_.push_back(unescaped(step));
}

std::optional<JsonValue> JsonPointer::find(JsonValue from) const {
  return from.descend(steps_);
}

JsonPath::JsonPath(std::string_view text) {
  for (const std::string_view step : split_steps(text)) {
    const std::size_t equals = step.find('=');
    const bool select = step.starts_with("*[") && step.ends_with(']') && equals != std::string_view::npos;
    if (select) {
      steps_.push_back(
          {unescaped(step.substr(2, equals - 2)), unescaped(step.substr(equals + 1, step.size() - equals - 2)), true});
    } else {
      steps_.push_back({unescaped(step), "", false});
    }
  }
}

void JsonPath::visit(JsonValue from, const std::function<void(JsonValue)>& visit) const {
  walk(from, 0, visit);
}

void JsonPath::walk(JsonValue at, std::size_t step, const std::function<void(JsonValue)>& visit) const {
  if (step == steps_.size()) {
    visit(at);
    return;
  }
  const Step& wanted = steps_[step];
  if (!wanted.select) {
    if (const auto child = at.child(wanted.name)) walk(*child, step + 1, visit);
    return;
  }
  for (auto element = at.first_element(); element; element = element->next_element()) {
    const auto member = element->child(wanted.name);
    if (member && json_equals(*member, wanted.value)) walk(*element, step + 1, visit);
  }
}

bool json_equals(JsonValue value, std::string_view wanted) {
  if (value.kind() != JsonKind::string) return value.raw() == wanted;
  std::string scratch;
  return value.text(scratch) == wanted;
}

}  // namespace hb::codec
