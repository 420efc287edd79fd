// Appends JSON to a string that is kept and used again: no tree in between, no allocation once it is large enough.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace hb::dashboard {

class JsonText {
 public:
  explicit JsonText(std::string& out) : out_(out) {}

  JsonText& raw(std::string_view text) {
    out_ += text;
    return *this;
  }
  template <class Integer>
  JsonText& number(Integer value) {
    std::array<char, 24> text;
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    out_.append(text.data(), end);
    return *this;
  }
  // With so many digits behind the point. REQUIRES: finite, and below 1e15.
  JsonText& decimal(double value, int digits) {
    std::array<char, 48> text;
    const auto [end, error] =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits);
    out_.append(text.data(), end);
    return *this;
  }
  JsonText& boolean(bool value) { return raw(value ? "true" : "false"); }
  // In quotes, escaped; what is no UTF-8 becomes U+FFFD.
  JsonText& text(std::string_view text);

 private:
  std::string& out_;
};

}  // namespace hb::dashboard
