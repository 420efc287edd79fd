// Owns a tree of hb_value, as handed to a plugin's create.
#pragma once

#include <hbagent/plugin.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
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

  // `value` came from outside the file, where it is written as `written`: "${NAME}". It may be a secret.
  void hide(std::string value, std::string written);
  // `text` with each hidden value as the file has it. Values too short to be a secret are left alone.
  std::string as_written(std::string text) const;

  hb_value root{};

 private:
  std::deque<std::string> texts_;
  std::deque<std::vector<hb_value>> arrays_;
  std::vector<std::pair<std::string, std::string>> hidden_;  // the longest first
};

// Whether two trees say the same, keys, texts and order included.
bool equal_values(const hb_value& a, const hb_value& b);

}  // namespace hbagent
