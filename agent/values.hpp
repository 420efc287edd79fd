// Owns a tree of hb_value, as handed to a plugin's create.
#pragma once

#include <hbagent/plugin.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace hbagent {

class ValueTree {
 public:
  ValueTree() = default;
  ValueTree(const ValueTree&) = delete;
  ValueTree& operator=(const ValueTree&) = delete;

  // A scalar of `kind`; `text` for strings and choices.
  static hb_value scalar(std::uint32_t kind, std::int64_t integer, double number = 0);
  hb_value text(std::uint32_t kind, std::string_view text, std::int64_t integer = 0);
  // Takes the items over; they stay where they are until the tree goes.
  hb_value composite(std::uint32_t kind, std::vector<hb_value> items);
  const char* keep(std::string_view text) { return texts_.emplace_back(text).c_str(); }

  hb_value root{};

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<hb_value>> arrays_;
};

}  // namespace hbagent
