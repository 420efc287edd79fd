#include "origin.hpp"

#include <charconv>

namespace hb::file {
namespace {

bool take_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0;
}

}  // namespace

std::string Origin::text() const {
  std::string text = path + ':' + std::to_string(line);
  return element == 0 ? text : text + '#' + std::to_string(element);
}

std::optional<Origin> Origin::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Origin origin;
  origin.path = text.substr(0, colon);
  std::string_view place = text.substr(colon + 1);
  if (const std::size_t hash = place.find('#'); hash != std::string_view::npos) {
    if (!take_number(place.substr(hash + 1), origin.element)) return std::nullopt;
    place = place.substr(0, hash);
  }
  return take_number(place, origin.line) ? std::optional(origin) : std::nullopt;
}

}  // namespace hb::file
