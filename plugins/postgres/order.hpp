// The order of the primary key: customer as bytes (COLLATE "C"), then time.
#pragma once

#include <hbagent/sdk.hpp>

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace postgres {

inline int compare_customers(const hb::Reading& a, const hb::Reading& b) {
  return std::strncmp(a.customer_id, b.customer_id, sizeof a.customer_id);
}
inline bool same_customer(const hb::Reading& a, const hb::Reading& b) {
  return compare_customers(a, b) == 0;
}

// Sorts `rows`, which are indexes into `all`, by key; of equal keys the smaller index comes first.
void sort_by_key(std::span<const hb::Reading> all, std::vector<std::uint32_t>& rows);

}  // namespace postgres
