#include "visible_text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace hbagent {
namespace {

// The first character of a text: its code point and how many bytes it takes. No bytes: they are no UTF-8.
struct Character {
  std::uint32_t point = 0;
  std::size_t size = 0;
};

// RFC 3629, section 4.
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  std::uint32_t point = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  return overlong || surrogate || point > 0x10FFFF ? Character{} : Character{point, size};
}

bool is_control(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0);
}

bool turns_direction(std::uint32_t point) {
  return point == 0x061C || point == 0x200E || point == 0x200F || (point >= 0x202A && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

std::string visible(std::string_view text, bool keep_layout) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto [point, size] = first_of(text);
    if (size == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{{{:02X}}}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    const bool layout = keep_layout && (point == '\n' || point == '\t' || text.starts_with("\r\n"));
    if (!layout && (is_control(point) || turns_direction(point))) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:04X}}}", point);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace

std::string visible_line(std::string_view text) {
  return visible(text, false);
}

std::string visible_text(std::string_view text) {
  return visible(text, true);
}

}  // namespace hbagent
