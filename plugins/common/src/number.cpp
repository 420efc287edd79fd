#include "hbcommon/number.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace hb::codec {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr int kMaxDigits = 19;  // any 19 digits fit into 64 bits
constexpr std::int32_t kExponentLimit = 1'000'000'000;

constexpr auto kPowersOfTen = [] {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (auto& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}();

__extension__ using Wide = __int128;
constexpr Wide kMaxDecimal = kPowersOfTen[kMaxDigits] - 1;

// Takes digits into `out`; those beyond the 19th significant one only count.
struct DigitReader {
  Decimal& out;
  int significant = 0;

  void take(char c, bool fraction) {
    const auto value = static_cast<std::uint64_t>(c - '0');
    if (significant < kMaxDigits) {
      out.digits = out.digits * 10 + value;
      if (out.digits != 0) ++significant;
      if (fraction) --out.exponent;
    } else {
      out.inexact |= value != 0;
      if (!fraction) ++out.exponent;
    }
  }
};

const char* read_exponent(const char* at, const char* last, Decimal& out) {
  bool negative = false;
  if (at != last && (*at == '+' || *at == '-')) negative = *at++ == '-';
  if (at == last || !is_digit(*at)) return nullptr;
  std::int32_t value = 0;
  for (; at != last && is_digit(*at); ++at) {
    if (value < kExponentLimit / 10) value = value * 10 + (*at - '0');
  }
  out.exponent += negative ? -value : value;
  return at;
}

// digits * 10^exponent cut to an integer, with what was cut as compared with a half.
struct Cut {
  std::uint64_t whole = 0;
  enum Rest : std::uint8_t { none, below_half, half, above_half } rest = none;
  bool overflow = false;
};

Cut cut(std::uint64_t digits, std::int32_t exponent, bool inexact) {
  Cut result;
  if (digits == 0) return result;
  if (exponent >= 0) {
    result.overflow = exponent > kMaxDigits ||
                      __builtin_mul_overflow(digits, kPowersOfTen[static_cast<std::size_t>(exponent)], &result.whole);
    result.rest = inexact ? Cut::below_half : Cut::none;
    return result;
  }
  if (exponent < -kMaxDigits) {
    result.rest = Cut::below_half;
    return result;
  }
  const std::uint64_t divisor = kPowersOfTen[static_cast<std::size_t>(-exponent)];
  result.whole = digits / divisor;
  const std::uint64_t rest = digits % divisor;
  const std::uint64_t half = divisor / 2;
  if (rest > half || (rest == half && inexact)) {
    result.rest = Cut::above_half;
  } else if (rest == half) {
    result.rest = Cut::half;
  } else if (rest != 0 || inexact) {
    result.rest = Cut::below_half;
  }
  return result;
}

}  // namespace

const char* parse_number(const char* first, const char* last, Decimal& out) noexcept {
  out = {};
  const char* at = first;
  if (at != last && *at == '-') {
    out.negative = true;
    ++at;
  }
  if (at == last || !is_digit(*at)) return nullptr;
  DigitReader reader{out};
  if (*at == '0') {
    ++at;
    if (at != last && is_digit(*at)) return nullptr;
  } else {
    for (; at != last && is_digit(*at); ++at) reader.take(*at, false);
  }
  if (at != last && *at == '.') {
    ++at;
    if (at == last || !is_digit(*at)) return nullptr;
    for (; at != last && is_digit(*at); ++at) reader.take(*at, true);
  }
  if (at != last && (*at == 'e' || *at == 'E')) return read_exponent(at + 1, last, out);
  return at;
}

Outcome parse_number(std::string_view text, Decimal& out) noexcept {
  const char* const end = text.data() + text.size();
  if (text.empty() || parse_number(text.data(), end, out) != end) return {Reason::not_a_number, "not a JSON number"};
  return {};
}

Decimal sum_of(const Decimal& one, const Decimal& other) noexcept {
  if (one.digits == 0 && !one.inexact) return other;
  if (other.digits == 0 && !other.inexact) return one;
  const Decimal& high = one.exponent >= other.exponent ? one : other;
  const Decimal& low = &high == &one ? other : one;
  // 19 digits and 18 zeros behind them, twice, are below 2^127. What of `low` lies beyond is cut.
  const std::int64_t distance = std::int64_t{high.exponent} - low.exponent;
  const auto up = static_cast<std::int32_t>(std::min<std::int64_t>(distance, kMaxDigits - 1));
  const std::int64_t down = distance - up;
  const std::uint64_t divisor = down <= kMaxDigits ? kPowersOfTen[static_cast<std::size_t>(down)] : 0;
  const std::uint64_t kept = divisor == 0 ? 0 : low.digits / divisor;
  const bool cut_low = low.inexact || (divisor == 0 ? low.digits != 0 : low.digits % divisor != 0);
  const auto with_sign = [](const Decimal& of, Wide size) { return of.negative ? -size : size; };
  Wide sum = with_sign(high, Wide{high.digits} * kPowersOfTen[static_cast<std::size_t>(up)]) + with_sign(low, kept);

  Decimal out;
  out.exponent = high.exponent - up;
  out.inexact = high.inexact || cut_low;
  const bool cut_negative = cut_low ? low.negative : high.negative;
  out.negative = sum < 0 || (sum == 0 && out.inexact && cut_negative);
  if (sum < 0) sum = -sum;
  // What was cut has the other sign: the value is a little smaller than the sum.
  if (out.inexact && sum != 0 && cut_negative != out.negative) --sum;
  for (; sum > kMaxDecimal; sum /= 10, ++out.exponent) out.inexact |= sum % 10 != 0;
  out.digits = static_cast<std::uint64_t>(sum);
  return out;
}

Outcome to_heart_rate(const Decimal& value, std::int32_t& bpm) noexcept {
  const Cut parts = cut(value.digits, value.exponent, value.inexact);
  if (parts.overflow || parts.whole >= std::numeric_limits<std::int32_t>::max()) {
    return {Reason::out_of_range, "beyond 32 bits"};
  }
  const bool up = parts.rest == Cut::above_half || (parts.rest == Cut::half && parts.whole % 2 != 0);
  const auto rounded = static_cast<std::int32_t>(parts.whole) + (up ? 1 : 0);
  if (rounded == 0 && value.digits != 0) return {Reason::out_of_range, "between 0 and 1"};
  bpm = value.negative ? -rounded : rounded;
  return {};
}

bool to_scaled_integer(const Decimal& value, std::int32_t power, std::int64_t& out) noexcept {
  const Cut parts = cut(value.digits, value.exponent + power, value.inexact);
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (parts.overflow || parts.whole >= kMax) return false;
  const auto whole = static_cast<std::int64_t>(parts.whole);
  out = value.negative ? -whole - (parts.rest == Cut::none ? 0 : 1) : whole;
  return true;
}

}  // namespace hb::codec
