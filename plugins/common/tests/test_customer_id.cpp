#include <hbcommon/customer_id.hpp>

#include <string>

#include "support/catch.hpp"

using namespace hb::codec;

TEST_CASE("ids in real use are accepted as they are") {
  for (const char* id : {"0", "-5", "cust_00042", "J\xc3\xbcrgen", "a b", "%s%n%x", "A09E1A70545E", "c7:f9:36:dd:b0:ca",
                         "7736551e-140b-4a6b-9b7d-5e90e8210d25", "urn:ngsi-ld:HeartRate:id:ZQCH:19903717",
                         "\xe6\x82\xa3\xe8\x80\x85", "\xf0\x9f\x92\x93"}) {
    INFO(id);
    CHECK(check_customer_id(id).ok());
  }
  CHECK(check_customer_id(std::string(41, 'x')).ok());
}

TEST_CASE("ids that cannot be stored or that mislead a reader are refused") {
  CHECK(check_customer_id("").reason == Reason::missing_customer_id);
  using namespace std::string_view_literals;
  for (const std::string_view id : {" "sv,
                                    "   "sv,
                                    "\xc2\xa0"sv,
                                    "\xe3\x80\x80"sv,
                                    "a\0b"sv,
                                    "\0"sv,
                                    "a\n"sv,
                                    "a\tb"sv,
                                    "\x7f"sv,
                                    "a\xc2\x85"sv,
                                    "a\xe2\x80\xae"
                                    "b"sv,
                                    "a\xe2\x81\xa6"sv,
                                    "\xe2\x80\x8f"
                                    "b"sv,
                                    "a\xd8\x9c"sv,
                                    "a\xe2\x80\xa8"sv,
                                    "\xff"sv,
                                    "\xc3"sv,
                                    "a\xc0\xaf"sv,
                                    "\xed\xa0\x80"sv,
                                    "\xf4\x90\x80\x80"sv,
                                    "\xe0\x80\xaf"sv,
                                    "\x80"sv,
                                    "\xc1\xbf"sv,
                                    "\xe0\x9f\xbf"sv,
                                    "\xf0\x8f\xbf\xbf"sv,
                                    "\xed\xbf\xbf"sv,
                                    "\xf5\x80\x80\x80"sv}) {
    CHECK(check_customer_id(id).reason == Reason::bad_customer_id);
  }
  CHECK(check_customer_id(std::string(42, 'x')).reason == Reason::bad_customer_id);
  CHECK(check_customer_id(std::string(65'000, 'x')).reason == Reason::bad_customer_id);
}

TEST_CASE("every byte at every place of an id gives the answer of the byte alone") {
  for (std::size_t size : {1u, 7u, 8u, 9u, 16u, 17u, 41u}) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string id(size, 'x');
        id[at] = static_cast<char>(byte);
        const bool plain = byte > 0x20 && byte < 0x7f;
        const bool space_among_others = byte == 0x20 && size > 1;
        if (check_customer_id(id).ok() != (plain || space_among_others)) FAIL(size << ' ' << at << ' ' << byte);
      }
    }
  }
}

TEST_CASE("every code point decodes from its UTF-8, and from nothing else of that size") {
  for (char32_t code = 0; code < 0x110000; ++code) {
    std::string text;
    if (code < 0x80) {
      text = {static_cast<char>(code)};
    } else if (code < 0x800) {
      text = {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
    } else if (code < 0x10000) {
      text = {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
              static_cast<char>(0x80 | (code & 63))};
    } else {
      text = {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
              static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    }
    char32_t decoded = 0;
    const std::size_t size = decode_utf8(text.data(), text.data() + text.size(), decoded);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (surrogate ? size != 0 : size != text.size() || decoded != code) FAIL(static_cast<std::uint32_t>(code));
    if (text.size() > 1 && decode_utf8(text.data(), text.data() + text.size() - 1, decoded) != 0) {
      FAIL("truncated " << static_cast<std::uint32_t>(code));
    }
  }
}
