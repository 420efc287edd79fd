#include "values.hpp"

namespace hbagent {

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

}  // namespace hbagent
