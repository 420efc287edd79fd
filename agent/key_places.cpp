#include "key_places.hpp"

#include <fmt/format.h>

#include "schema.hpp"

namespace hbagent {
namespace {

constexpr std::string_view kOfPaths = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]";

// "a[0].b" without its last step: "a[0]", then "a", then nothing.
std::string_view around(std::string_view path) {
  const std::size_t step = path.find_last_of(".[");
  return path.substr(0, step == std::string_view::npos ? 0 : step);
}

void add_places(const std::string& path, const toml::node& node, KeyPlaces& places) {
  // A table that only the dotted keys in it make has no place of its own.
  if (const Place place = place_of(node); !path.empty() && place.line > 0) places.add(path, place);
  if (const auto* table = node.as_table()) {
    for (const auto& [key, each] : *table) {
      add_places((path.empty() ? "" : path + '.') + std::string(key.str()), each, places);
    }
  } else if (const auto* array = node.as_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) add_places(fmt::format("{}[{}]", path, i), *array->get(i), places);
  }
}

}  // namespace

KeyPlaces key_places_of(const toml::table& table) {
  KeyPlaces places;
  add_places("", table, places);
  return places;
}

Place KeyPlaces::of(std::string_view text, Place otherwise) const {
  const std::size_t end = text.find_first_not_of(kOfPaths);
  if (end != std::string_view::npos && std::string_view(":, ").find(text[end]) == std::string_view::npos) {
    return otherwise;
  }
  for (std::string_view path = text.substr(0, end); !path.empty(); path = around(path)) {
    if (const auto found = places_.find(path); found != places_.end()) return found->second;
  }
  return otherwise;
}

}  // namespace hbagent
