// Counter-based random numbers and the few functions of mathematics that the model needs, with the same bits on every
// machine: 64-bit integers, and doubles that use only +, -, *, / and sqrt, which IEEE 754 fixes to the last bit. (The
// libm of different systems differ in exp and log. The folder is compiled with -ffp-contract=off for the same reason.)
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace generator {

// The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
constexpr std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

// The `counter`-th number of the stream `key`, without the ones before it.
constexpr std::uint64_t random_at(std::uint64_t key, std::uint64_t counter) {
  return mix(key + counter * 0x9E3779B97F4A7C15u);
}

// A key for a stream of its own below `key`.
constexpr std::uint64_t sub_key(std::uint64_t key, std::uint64_t name) {
  return mix(mix(key) ^ (name * 0xD1B54A32D192ED03u + 0x8CB92BA72F3D8DD7u));
}

// Uniform in (0, 1): never 0, so that its logarithm exists.
constexpr double uniform(std::uint64_t random) {
  return (static_cast<double>(random >> 12) + 0.5) * 0x1p-52;
}
constexpr double uniform(std::uint64_t random, double low, double high) {
  return low + (high - low) * uniform(random);
}

// e^x for |x| < 700, to about 1e-15 of its value.
constexpr double exponential(double x) {
  constexpr double kLn2 = 0.693147180559945309;
  const double scaled = x / kLn2;
  const auto power = static_cast<std::int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  const double rest = x - static_cast<double>(power) * kLn2;
  double sum = 1;
  for (int n = 14; n > 0; --n) sum = 1 + sum * rest / n;  // Taylor in Horner's form, |rest| <= 0.35
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(power + 1023) << 52);
}

// The natural logarithm of a positive, normal number.
constexpr double logarithm(double x) {
  constexpr double kLn2 = 0.693147180559945309;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto power = static_cast<std::int64_t>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u);
  if (mantissa > 1.41421356237309505) {
    mantissa /= 2;
    ++power;
  }
  const double ratio = (mantissa - 1) / (mantissa + 1);  // ln m = 2 artanh(ratio), |ratio| <= 0.172
  const double square = ratio * ratio;
  double sum = 0;
  for (int n = 19; n > 0; n -= 2) sum = sum * square + 1.0 / n;
  return 2 * ratio * sum + static_cast<double>(power) * kLn2;
}

// Exponentially distributed with mean 1.
constexpr double waiting_time(std::uint64_t random) {
  return -logarithm(uniform(random));
}

// About normal with mean 0 and standard deviation 1: the sum of eight uniform numbers, so never beyond 4.9.
constexpr double normal(std::uint64_t key, std::uint64_t counter) {
  double sum = 0;
  for (std::uint64_t half = 0; half < 2; ++half) {
    const std::uint64_t random = random_at(key, 2 * counter + half);
    for (int lane = 0; lane < 64; lane += 16) sum += static_cast<double>((random >> lane) & 0xFFFF);
  }
  constexpr double kMean = 8 * 65535.0 / 2;
  constexpr double kDeviation = 53509.92;  // sqrt(8 * (65536^2 - 1) / 12)
  return (sum - kMean) / kDeviation;
}

// cos(2 pi turns) for turns in [0, 1].
constexpr double cosine_of_turns(double turns) {
  constexpr double kTwoPi = 6.28318530717958648;
  const double from_peak = turns > 0.5 ? 1 - turns : turns;               // cos is even about a full turn
  const bool falling = from_peak > 0.25;                                  // and odd about a quarter turn
  const double angle = kTwoPi * (falling ? 0.5 - from_peak : from_peak);  // 0 to pi/2
  double sum = 1;
  for (int n = 20; n > 0; n -= 2) sum = 1 - sum * angle * angle / (n * (n - 1));
  return falling ? -sum : sum;
}

}  // namespace generator
