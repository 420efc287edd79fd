// Topic templates such as wearables/{customer_id}/hr: which MQTT topics belong to a subscription, and whose they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hb::codec {

// Immutable. [any thread]
class TopicTemplate {
 public:
  // {customer_id} captures one level, at most once; {_} or {any_other_name} matches one. Every other level is itself.
  // Throws std::invalid_argument, which says why, for an empty template, a wildcard (+, #) or a brace within a level.
  explicit TopicTemplate(std::string_view text);

  // The customer id, empty where the template captures none. Nothing where the topic does not match level by level,
  // holds a wildcard or a NUL (which no topic may), or has an empty level where the template has a name.
  std::optional<std::string_view> match(std::string_view topic) const;
  // The filter to subscribe to: wearables/+/hr.
  std::string filter() const;
  bool captures_id() const;

 private:
  enum class Kind { literal, any, id };
  struct Level {
    Kind kind;
    std::string text;
  };
  std::vector<Level> levels_;
};

}  // namespace hb::codec
