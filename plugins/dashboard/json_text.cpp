#include "json_text.hpp"

#include <hbcommon/customer_id.hpp>

namespace hb::dashboard {

JsonText& JsonText::text(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out_ += '"';
  const char* const last = text.data() + text.size();
  for (const char* at = text.data(); at < last;) {
    const char c = *at;
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
      ++at;
    } else if (code < 0x20 || code == 0x7F) {
      out_ += "\\u00";
      out_ += digits[code >> 4];
      out_ += digits[code & 15];
      ++at;
    } else if (code < 0x80) {
      out_ += c;
      ++at;
    } else {
      char32_t character = 0;
      const std::size_t size = codec::decode_utf8(at, last, character);
      out_ += size == 0 ? std::string_view("\xEF\xBF\xBD") : std::string_view(at, size);
      at += size == 0 ? 1 : size;
    }
  }
  out_ += '"';
  return *this;
}

}  // namespace hb::dashboard
