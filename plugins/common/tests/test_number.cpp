#include <hbcommon/number.hpp>

#include <cmath>
#include <random>
#include <string>

#include "support/catch.hpp"

using namespace hb::codec;

namespace {

Outcome heart_rate(std::string_view text, std::int32_t& bpm) {
  Decimal number;
  if (const Outcome parsed = parse_number(text, number); !parsed.ok()) return parsed;
  return to_heart_rate(number, bpm);
}

std::int32_t bpm_of(std::string_view text) {
  std::int32_t bpm = -999;
  INFO(text);
  REQUIRE(heart_rate(text, bpm).ok());
  return bpm;
}

}  // namespace

TEST_CASE("a heart rate rounds half to even, exactly") {
  CHECK(bpm_of("72") == 72);
  CHECK(bpm_of("72.0") == 72);
  CHECK(bpm_of("7.2e1") == 72);
  CHECK(bpm_of("720E-1") == 72);
  CHECK(bpm_of("62.5") == 62);
  CHECK(bpm_of("63.5") == 64);
  CHECK(bpm_of("62.50000000000000000000000000001") == 63);
  CHECK(bpm_of("62.49999999999999999999999999999") == 62);
  CHECK(bpm_of("-62.5") == -62);
  CHECK(bpm_of("-1") == -1);
  CHECK(bpm_of("0") == 0);
  CHECK(bpm_of("-0") == 0);
  CHECK(bpm_of("0.000e99") == 0);
  CHECK(bpm_of("0.7") == 1);
  CHECK(bpm_of("2147483646") == 2147483646);
}

TEST_CASE("a heart rate that does not fit is out of range, never another number") {
  std::int32_t bpm = 5;
  for (const char* text :
       {"4294967368", "18446744073709551688", "99999999999999999999999999999999", "1e-320", "0.5", "-0.1", "1e400",
        "-1e400", "2147483648", "0.00000000000000000000001", "1e-9999999999", "1e9999999999999999999999"}) {
    INFO(text);
    CHECK(heart_rate(text, bpm).reason == Reason::out_of_range);
  }
  CHECK(bpm == 5);
}

TEST_CASE("only the JSON grammar is a number") {
  std::int32_t bpm = 0;
  for (const char* text : {"", "-", "+72", "72.", ".72", "072", "0x48", "72e", "72e+", "Infinity", "NaN", "72 ", " 72",
                           "72 bpm", "1_000", "1,5", "--1", "00", "\xd9\xa7\xd9\xa2"}) {
    INFO(text);
    CHECK(heart_rate(text, bpm).reason == Reason::not_a_number);
  }
}

TEST_CASE("random decimals round as doubles with a banker's rounding do") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    // Quarters are exact in a double, so nearbyint (half to even by default) is a sound reference.
    const auto quarters = static_cast<std::int64_t>(random() % 4'000'000) - 2'000'000;
    const double value = static_cast<double>(quarters) / 4;
    char text[64];
    std::snprintf(text, sizeof text, i % 2 == 0 ? "%.2f" : "%.12e", value);
    const auto expected = static_cast<std::int32_t>(std::nearbyint(value));
    std::int32_t bpm = -1;
    const Outcome outcome = heart_rate(text, bpm);
    const bool vanishes = expected == 0 && quarters != 0;
    if (vanishes ? outcome.reason != Reason::out_of_range : bpm != expected) FAIL(text << " gave " << bpm);
  }
}

TEST_CASE("scaling keeps every digit of an integer") {
  const auto scaled = [](std::string_view text, std::int32_t power) {
    Decimal number;
    std::int64_t out = 0;
    REQUIRE(parse_number(text, number).ok());
    REQUIRE(to_scaled_integer(number, power, out));
    return out;
  };
  CHECK(scaled("9007199254740993", 0) == 9'007'199'254'740'993);
  CHECK(scaled("1.5", 3) == 1'500);
  CHECK(scaled("-1.5", 0) == -2);
  CHECK(scaled("-1", 0) == -1);
  CHECK(scaled("1234567890123456789.5", 0) == 1'234'567'890'123'456'789);
  Decimal number;
  std::int64_t out = 0;
  REQUIRE(parse_number("9223372036854775808", number).ok());
  CHECK(!to_scaled_integer(number, 0, out));
}

namespace {

Decimal decimal(std::string_view text) {
  Decimal number;
  REQUIRE(parse_number(text, number).ok());
  return number;
}

std::int64_t micros_of(std::string_view one, std::string_view other) {
  std::int64_t micros = 0;
  INFO(one << " + " << other);
  const Decimal sum = sum_of(decimal(one), decimal(other));
  REQUIRE(to_scaled_integer(sum, 6, micros));
  const Decimal swapped = sum_of(decimal(other), decimal(one));
  std::int64_t again = 0;
  REQUIRE(to_scaled_integer(swapped, 6, again));
  CHECK(again == micros);
  return micros;
}

}  // namespace

TEST_CASE("a sum of decimals is exact, or cut towards zero") {
  CHECK(micros_of("1768478390", "2.5") == 1'768'478'392'500'000);
  CHECK(micros_of("1768478390.1", "0.30000000000000004") == 1'768'478'390'400'000);
  CHECK(micros_of("-30", "30") == 0);
  CHECK(micros_of("-30", "29.9999999") == -1);
  CHECK(micros_of("0.0000005", "0.0000005") == 1);
  CHECK(micros_of("0", "-7") == -7'000'000);
  CHECK(micros_of("1e3", "1e-3") == 1'000'001'000);
  CHECK(micros_of("9999999999999999999e-13", "1e-13") == 1'000'000'000'000);
  // What lies beyond the digits still tells on which side the value is.
  CHECK(micros_of("1", "-1e-400") == 999'999);
  CHECK(micros_of("-1", "1e-400") == -1'000'000);
  CHECK(micros_of("1", "1e-400") == 1'000'000);
  CHECK(micros_of("-1", "-1e-400") == -1'000'001);
  std::int32_t bpm = 0;
  REQUIRE(to_heart_rate(sum_of(decimal("60"), decimal("2.5")), bpm).ok());
  CHECK(bpm == 62);
  REQUIRE(to_heart_rate(sum_of(decimal("62.5"), decimal("1e-400")), bpm).ok());
  CHECK(bpm == 63);
  REQUIRE(to_heart_rate(sum_of(decimal("63.5"), decimal("-1e-400")), bpm).ok());
  CHECK(bpm == 63);
  CHECK_FALSE(to_heart_rate(sum_of(decimal("1e999999999"), decimal("1e-999999999")), bpm).ok());
}

TEST_CASE("sums of random decimals are those of integers") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 100'000; ++round) {
    const auto one = static_cast<std::int64_t>(random() % 2'000'000'000'000'000) - 1'000'000'000'000'000;
    const auto other = static_cast<std::int64_t>(random() >> (random() % 60)) % 1'000'000'000'000'000;
    const int places = static_cast<int>(random() % 7);
    const std::string exponent = 'e' + std::to_string(places - 6);
    std::int64_t scale = 1;
    for (int i = 0; i < places; ++i) scale *= 10;
    const std::int64_t scaled = other / scale;
    const std::int64_t micros = micros_of(std::to_string(one) + "e-6", std::to_string(scaled) + exponent);
    if (micros != one + scaled * scale) FAIL(one << " + " << scaled << exponent << " = " << micros);
  }
}
