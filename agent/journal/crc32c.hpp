// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hbagent {

// The checksum of `size` bytes; `before` is that of what lies in front of them, 0 at the start. Thread-safe.
std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t before = 0);

// The same without the instruction, for machines that lack it and to compare with.
std::uint32_t crc32c_portable(const void* data, std::size_t size, std::uint32_t before = 0);

}  // namespace hbagent
