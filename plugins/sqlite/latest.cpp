#include "latest.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

namespace sqlite {

void Latest::add(const hb::Reading& reading, std::size_t hash) {
  if (empty()) {
    since_ = Clock::now();
    low_ = high_ = reading.time_us;
  }
  low_ = std::min(low_, reading.time_us);
  high_ = std::max(high_, reading.time_us);
  Slot* slot = &slot_of(reading.customer_id, hash);
  if (slot->customer_id[0] == '\0') {
    if (2 * (count_ + 1) > slots_.size()) {
      grow();
      slot = &slot_of(reading.customer_id, hash);
    }
    const auto id = hb::customer_id(reading);
    std::memcpy(slot->customer_id, id.data(), id.size());
    ++count_;
  } else if (reading.time_us <= slot->time_us) {
    return;
  }
  slot->time_us = reading.time_us;
  slot->heart_rate = reading.heart_rate;
}

// The customer's slot, or the free one where it goes.
Latest::Slot& Latest::slot_of(const char* customer_id, std::size_t hash) {
  const std::size_t mask = slots_.size() - 1;
  auto at = hash & mask;
  while (slots_[at].customer_id[0] != '\0' &&
         std::strncmp(slots_[at].customer_id, customer_id, sizeof slots_[at].customer_id) != 0) {
    at = (at + 1) & mask;
  }
  return slots_[at];
}

void Latest::grow() {
  const auto old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  for (const Slot& slot : old) {
    if (slot.customer_id[0] != '\0') slot_of(slot.customer_id, std::hash<std::string_view>{}(slot.customer_id)) = slot;
  }
}

void Latest::clear() {
  // Small again where there were few; as it was where there were many, since as many will come.
  if (count_ < slots_.size() / 16 && slots_.size() > kFirstSlots) {
    slots_ = std::vector<Slot>(kFirstSlots);
  } else {
    std::fill(slots_.begin(), slots_.end(), Slot{});
  }
  count_ = 0;
}

}  // namespace sqlite
