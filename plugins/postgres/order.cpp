#include "order.hpp"

#include <algorithm>
#include <bit>

namespace postgres {
namespace {

// The first 16 bytes of the id as numbers of the same order: nearly every comparison ends here, without a look at the
// readings, which lie scattered.
struct SortKey {
  std::uint64_t first, second;
  std::int64_t time;
  std::uint32_t row;
};

std::uint64_t big_endian(const char* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  return value;
}

SortKey key_of(const hb::Reading& reading, std::uint32_t row) {
  char id[16] = {};
  std::memcpy(id, reading.customer_id, strnlen(reading.customer_id, sizeof id));  // without what is behind the NUL
  return {big_endian(id), big_endian(id + 8), reading.time_us, row};
}

}  // namespace

void sort_by_key(std::span<const hb::Reading> all, std::vector<std::uint32_t>& rows) {
  std::vector<SortKey> keys;
  keys.reserve(rows.size());
  for (const std::uint32_t row : rows) keys.push_back(key_of(all[row], row));
  std::sort(keys.begin(), keys.end(), [all](const SortKey& a, const SortKey& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.second != b.second) return a.second < b.second;
    if ((a.second & 0xff) != 0) {  // 16 bytes or more: the rest decides
      const int order = compare_customers(all[a.row], all[b.row]);
      if (order != 0) return order < 0;
    }
    return a.time != b.time ? a.time < b.time : a.row < b.row;
  });
  std::transform(keys.begin(), keys.end(), rows.begin(), [](const SortKey& key) { return key.row; });
}

}  // namespace postgres
