// Numbers as devices write them, exact: no detour over double, so that 2^53+1 stays itself and .5 is a true half.
// All functions are pure. [any thread]
#pragma once

#include <hbcommon/reason.hpp>

#include <cstdint>
#include <string_view>

namespace hb::codec {

// digits * 10^exponent; the value is a little larger in size where `inexact` (digits beyond the 19th were cut).
struct Decimal {
  std::uint64_t digits = 0;
  std::int32_t exponent = 0;
  bool negative = false;
  bool inexact = false;
};

// Reads one number of the JSON grammar (RFC 8259, section 6) at `first`. Returns its end; nullptr where there is none.
const char* parse_number(const char* first, const char* last, Decimal& out) noexcept;

// The whole of `text` is one JSON number; else not_a_number.
Outcome parse_number(std::string_view text, Decimal& out) noexcept;

// The sum: exact where 19 digits hold it, else cut, and `inexact` as above.
Decimal sum_of(const Decimal& one, const Decimal& other) noexcept;

// Beats per minute, a half rounded to even; zero only where the value is zero. out_of_range beyond int32 and for a
// value that is not zero but rounds to it.
Outcome to_heart_rate(const Decimal& value, std::int32_t& bpm) noexcept;

// floor(value * 10^power); false where it does not fit.
bool to_scaled_integer(const Decimal& value, std::int32_t power, std::int64_t& out) noexcept;

}  // namespace hb::codec
