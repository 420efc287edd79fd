#include "journal/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace hbagent {
namespace {

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

// Slicing by eight (Kounavis and Berry, "A Systematic Approach to Building High Performance, Software-based, CRC
// Generators", 2005).
constexpr Table make_table() {
  constexpr std::uint32_t kReflectedPolynomial = 0x82F63B78;
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kReflectedPolynomial : 0);
    table[0][byte] = value;
  }
  for (std::size_t slice = 1; slice < 8; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t value = table[slice - 1][byte];
      table[slice][byte] = (value >> 8) ^ table[0][value & 0xFF];
    }
  }
  return table;
}
constexpr Table kTable = make_table();

std::uint64_t load64(const unsigned char* from) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(const unsigned char* data, std::size_t size,
                                                               std::uint32_t crc) {
  std::uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) wide = _mm_crc32_u64(wide, load64(data));
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++data, --size) narrow = _mm_crc32_u8(narrow, *data);
  return narrow;
}
bool has_instruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) std::uint32_t by_instruction(const unsigned char* data, std::size_t size,
                                                             std::uint32_t crc) {
  for (; size >= 8; data += 8, size -= 8) crc = __crc32cd(crc, load64(data));
  for (; size > 0; ++data, --size) crc = __crc32cb(crc, *data);
  return crc;
}
bool has_instruction() {
  static const bool has = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
  return has;
}
#else
std::uint32_t by_instruction(const unsigned char*, std::size_t, std::uint32_t crc) {
  return crc;
}
bool has_instruction() {
  return false;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(const void* data, std::size_t size, std::uint32_t before) {
  const auto* at = static_cast<const unsigned char*>(data);
  std::uint32_t crc = ~before;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  for (; size >= 8; at += 8, size -= 8) {
    const std::uint64_t eight = load64(at) ^ crc;
    std::uint32_t next = 0;
    for (unsigned slice = 0; slice < 8; ++slice) next ^= kTable[7 - slice][(eight >> (8 * slice)) & 0xFF];
    crc = next;
  }
#endif
  for (; size > 0; ++at, --size) crc = (crc >> 8) ^ kTable[0][(crc ^ *at) & 0xFF];
  return ~crc;
}

std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t before) {
  if (!has_instruction()) return crc32c_portable(data, size, before);
  return ~by_instruction(static_cast<const unsigned char*>(data), size, ~before);
}

}  // namespace hbagent
