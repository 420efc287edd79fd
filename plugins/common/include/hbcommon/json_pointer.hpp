// JSON pointers (RFC 6901), parsed once, and paths that also select array elements by a member's value.
#pragma once

#include <hbcommon/json.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hb::codec {

class JsonPointer {
 public:
  // Throws std::invalid_argument, which says what is wrong, unless `text` is empty or starts with a slash.
  explicit JsonPointer(std::string_view text);
  std::optional<JsonValue> find(JsonValue from) const;

 private:
  std::vector<std::string> steps_;
};

// A pointer whose steps may also be *[member=value]: the elements of an array that have such a member.
class JsonPath {
 public:
  explicit JsonPath(std::string_view text);  // as JsonPointer
  // Calls `visit` for each place that the path leads to, in the document's order.
  void visit(JsonValue from, const std::function<void(JsonValue)>& visit) const;

 private:
  struct Step {
    std::string name;  // or the member to look at
    std::string value;
    bool select = false;
  };
  void walk(JsonValue at, std::size_t step, const std::function<void(JsonValue)>& visit) const;
  std::vector<Step> steps_;
};

// Whether a text or a number, as written, is `wanted`.
bool json_equals(JsonValue value, std::string_view wanted);

}  // namespace hb::codec
