#include "latest.hpp"

#include "order.hpp"

#include <algorithm>
#include <utility>

namespace postgres {

void Latest::thin_out() {
  std::vector<std::uint32_t> rows(readings_.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
  sort_by_key(readings_, rows);
  std::vector<hb::Reading> newest;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + 1 == rows.size() || !same_customer(readings_[rows[i]], readings_[rows[i + 1]])) {
      newest.push_back(readings_[rows[i]]);
    }
  }
  readings_ = std::move(newest);
  next_thinning_ = std::max(kFirstThinning, 2 * readings_.size());
}

}  // namespace postgres
