#include "values.hpp"

#include <algorithm>

namespace hbagent {
namespace {

// What is shorter occurs by chance, in numbers for instance.
constexpr std::size_t kShortestSecret = 4;

}  // namespace

hb_value ValueTree::scalar(std::uint32_t kind, std::int64_t integer, double number) {
  hb_value value{};
  value.size = sizeof value;
  value.kind = kind;
  value.integer = integer;
  value.number = number;
  return value;
}

hb_value ValueTree::text(std::uint32_t kind, std::string_view text, std::int64_t integer) {
  hb_value value = scalar(kind, integer);
  value.text = keep(text);
  return value;
}

hb_value ValueTree::composite(std::uint32_t kind, std::vector<hb_value> items) {
  hb_value value = scalar(kind, 0);
  value.count = static_cast<std::uint32_t>(items.size());
  value.items = arrays_.emplace_back(std::move(items)).data();
  return value;
}

void ValueTree::hide(std::string value, std::string written) {
  if (value.size() < kShortestSecret) return;
  const auto shorter =
      std::find_if(hidden_.begin(), hidden_.end(), [&](const auto& each) { return each.first.size() < value.size(); });
  hidden_.emplace(shorter, std::move(value), std::move(written));
}

std::string ValueTree::as_written(std::string text) const {
  for (const auto& [value, written] : hidden_) {
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + written.size())) {
      text.replace(at, value.size(), written);
    }
  }
  return text;
}

bool equal_values(const hb_value& a, const hb_value& b) {
  const auto same_text = [](const char* x, const char* y) {
    return x == nullptr || y == nullptr ? x == y : std::string_view(x) == y;
  };
  if (a.kind != b.kind || a.integer != b.integer || a.number != b.number || a.count != b.count) return false;
  if (!same_text(a.key, b.key) || !same_text(a.text, b.text)) return false;
  return std::equal(a.items, a.items + a.count, b.items, equal_values);
}

}  // namespace hbagent
