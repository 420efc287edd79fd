#include "watermarks.hpp"

#include <algorithm>
#include <utility>

namespace postgres {
namespace {

std::uint64_t never_zero(std::uint64_t customer) {
  return customer == 0 ? 1 : customer;
}

}  // namespace

// The slot of a customer, or the free one where it belongs.
std::size_t Watermarks::Table::slot_of(std::uint64_t customer) const {
  const auto mask = slots_.size() - 1;
  auto slot = static_cast<std::size_t>(customer) & mask;
  while (slots_[slot].customer != 0 && slots_[slot].customer != customer) slot = (slot + 1) & mask;
  return slot;
}

std::int64_t* Watermarks::Table::find(std::uint64_t customer) {
  if (slots_.empty()) return nullptr;
  Slot& slot = slots_[slot_of(customer)];
  return slot.customer == 0 ? nullptr : &slot.time;
}

void Watermarks::Table::add(std::uint64_t customer, std::int64_t time) {
  if (2 * (size_ + 1) > slots_.size()) {
    const auto before = std::exchange(slots_, std::vector<Slot>(std::max<std::size_t>(64, slots_.size() * 2)));
    for (const Slot& slot : before) {
      if (slot.customer != 0) slots_[slot_of(slot.customer)] = slot;
    }
  }
  slots_[slot_of(customer)] = {customer, time};
  ++size_;
}

std::optional<std::int64_t> Watermarks::find(std::uint64_t customer) {
  customer = never_zero(customer);
  if (const auto* time = young_.find(customer)) return *time;
  const auto* old = old_.find(customer);
  if (old == nullptr) return std::nullopt;
  const auto time = *old;
  raise(customer, time);  // in use, so it stays
  return time;
}

void Watermarks::raise(std::uint64_t customer, std::int64_t time) {
  customer = never_zero(customer);
  if (auto* known = young_.find(customer)) {
    *known = std::max(*known, time);
    return;
  }
  if (const auto* old = old_.find(customer)) time = std::max(time, *old);
  young_.add(customer, time);
  if (young_.size() >= half_) old_ = std::exchange(young_, Table());
}

void Watermarks::clear() {
  young_ = {};
  old_ = {};
}

}  // namespace postgres
