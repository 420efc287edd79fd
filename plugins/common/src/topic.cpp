#include "hbcommon/topic.hpp"

#include <algorithm>
#include <stdexcept>

namespace hb::codec {
namespace {

constexpr std::string_view kNever("+#\0", 3);

// Takes the part up to the next slash; false behind the last one.
bool take_level(std::optional<std::string_view>& rest, std::string_view& level) {
  if (!rest) return false;
  const std::size_t slash = rest->find('/');
  level = rest->substr(0, slash);
  if (slash == std::string_view::npos) {
    rest.reset();
  } else {
    rest->remove_prefix(slash + 1);
  }
  return true;
}

}  // namespace

TopicTemplate::TopicTemplate(std::string_view text) {
  if (text.empty()) throw std::invalid_argument("a topic is not empty");
  if (text.find_first_of(kNever) != std::string_view::npos) {
    throw std::invalid_argument("a topic template has no wildcard; {_} matches any one level");
  }
  std::optional<std::string_view> rest = text;
  std::string_view level;
  while (take_level(rest, level)) {
    const bool named = level.size() > 2 && level.front() == '{' && level.back() == '}';
    const std::string_view name = named ? level.substr(1, level.size() - 2) : level;
    if (name.find_first_of("{}") != std::string_view::npos) {
      throw std::invalid_argument("a name in braces is a whole level: wearables/{customer_id}/hr");
    }
    const Kind kind = !named ? Kind::literal : name == "customer_id" ? Kind::id : Kind::any;
    if (kind == Kind::id && captures_id()) throw std::invalid_argument("{customer_id} stands in a topic once");
    levels_.push_back({kind, std::string(level)});
  }
}

std::optional<std::string_view> TopicTemplate::match(std::string_view topic) const {
  if (topic.find_first_of(kNever) != std::string_view::npos) return std::nullopt;
  std::string_view id;
  std::optional<std::string_view> rest = topic;
  for (const Level& wanted : levels_) {
    std::string_view level;
    if (!take_level(rest, level)) return std::nullopt;
    if (wanted.kind == Kind::literal ? level != wanted.text : level.empty()) return std::nullopt;
    // A wildcard in the first level does not match the broker's own topics (MQTT 5, section 4.7.2).
    if (wanted.kind != Kind::literal && level.data() == topic.data() && level.front() == '$') return std::nullopt;
    if (wanted.kind == Kind::id) id = level;
  }
  if (rest) return std::nullopt;
  return id;
}

std::string TopicTemplate::filter() const {
  std::string out;
  for (const Level& level : levels_) {
    if (&level != &levels_.front()) out += '/';
    out += level.kind == Kind::literal ? level.text : "+";
  }
  return out;
}

bool TopicTemplate::captures_id() const {
  return std::any_of(levels_.begin(), levels_.end(), [](const Level& level) { return level.kind == Kind::id; });
}

}  // namespace hb::codec
