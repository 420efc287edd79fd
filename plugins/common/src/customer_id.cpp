#include "hbcommon/customer_id.hpp"

#include <hbagent/host.hpp>

#include <cstdint>
#include <cstring>

namespace hb::codec {
namespace {

constexpr bool is_control(char32_t c) {
  const bool c0_or_c1 = c < 0x20 || (c >= 0x7f && c <= 0x9f);
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool bidirectional =
      c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return c0_or_c1 || separator || bidirectional;
}

// Spaces of Unicode's category Zs, and the zero-width space.
constexpr bool is_blank(char32_t c) {
  return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) || c == 0x202f || c == 0x205f ||
         c == 0x3000 || c == 0xfeff;
}

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u;
}

// Eight bytes at once: whether all are printable ASCII (0x20 to 0x7e).
bool all_printable(std::uint64_t bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  constexpr std::uint64_t kHighs = 0x8080808080808080u;
  const std::uint64_t below_space = bytes - kOnes * 0x20;
  const std::uint64_t without_delete = (bytes ^ (kOnes * 0x7f)) - kOnes;
  return ((bytes | below_space | without_delete) & kHighs) == 0;
}

bool all_printable(std::string_view id) {
  std::uint64_t bytes = 0;
  const char* at = id.data();
  std::size_t left = id.size();
  for (; left >= sizeof bytes; left -= sizeof bytes, at += sizeof bytes) {
    std::memcpy(&bytes, at, sizeof bytes);
    if (!all_printable(bytes)) return false;
  }
  bytes = 0x2020202020202020u;
  std::memcpy(&bytes, at, left);
  return all_printable(bytes);
}

}  // namespace

std::size_t decode_utf8(const char* first, const char* last, char32_t& out) noexcept {
  const auto lead = static_cast<unsigned char>(*first);
  if (lead < 0x80) {
    out = lead;
    return 1;
  }
  std::size_t size = 0;
  if (lead >= 0xc2 && lead <= 0xdf) size = 2;
  if (lead >= 0xe0 && lead <= 0xef) size = 3;
  if (lead >= 0xf0 && lead <= 0xf4) size = 4;
  if (size == 0 || static_cast<std::size_t>(last - first) < size) return 0;
  char32_t code = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(first[i])) return 0;
    code = (code << 6) | (static_cast<unsigned char>(first[i]) & 0x3fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return 0;
  out = code;
  return size;
}

Outcome check_customer_id(std::string_view id) noexcept {
  if (id.empty()) return {Reason::missing_customer_id, "the customer id is empty"};
  if (id.size() > kMaxCustomerId) return {Reason::bad_customer_id, "longer than 41 bytes"};
  if (id.front() != ' ' && all_printable(id)) return {};
  const char* at = id.data();
  const char* const last = at + id.size();
  bool blank = true;
  while (at != last) {
    char32_t c = 0;
    const std::size_t size = decode_utf8(at, last, c);
    if (size == 0) return {Reason::bad_customer_id, "not valid UTF-8"};
    if (is_control(c)) return {Reason::bad_customer_id, "holds a control or bidirectional character"};
    blank &= is_blank(c);
    at += size;
  }
  if (blank) return {Reason::bad_customer_id, "blank"};
  return {};
}

}  // namespace hb::codec
