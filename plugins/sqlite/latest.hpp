// The newest reading of each customer that is stored but not yet shown in heartrate_data. Not thread-safe.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace sqlite {

// An open-addressing hash table: it is asked for every reading, and its customers lie scattered, so that each look at
// memory beyond the first would count.
class Latest {
 public:
  using Clock = std::chrono::steady_clock;

  // Fetches what add will look at into the cache: called before the insert, which takes as long as that.
  std::size_t prefetch(const hb::Reading& reading) const {
    const auto hash = std::hash<std::string_view>{}(hb::customer_id(reading));
    __builtin_prefetch(&slots_[hash & (slots_.size() - 1)], 1);
    return hash;
  }
  // `hash` is what prefetch returned for it.
  void add(const hb::Reading& reading, std::size_t hash);
  bool empty() const { return count_ == 0; }
  // Customers.
  std::size_t size() const { return count_; }
  // When the first of them came, and between which times all of them lie. Only where not empty.
  Clock::time_point since() const { return since_; }
  std::int64_t low() const { return low_; }
  std::int64_t high() const { return high_; }
  // Calls `show(customer_id, heart_rate, time_us)` for each customer.
  template <class Show>
  void for_each(const Show& show) const {
    for (const Slot& slot : slots_) {
      if (slot.customer_id[0] != '\0') show(std::string_view(slot.customer_id), slot.heart_rate, slot.time_us);
    }
  }
  void clear();

 private:
  static constexpr std::size_t kFirstSlots = 1024;

  struct alignas(64) Slot {
    char customer_id[HB_CUSTOMER_ID_CAPACITY];  // padded with NUL; empty: nobody
    std::int32_t heart_rate;
    std::int64_t time_us;
  };
  static_assert(sizeof(Slot) == 64);

  Slot& slot_of(const char* customer_id, std::size_t hash);
  void grow();

  std::vector<Slot> slots_ = std::vector<Slot>(kFirstSlots);  // a power of two, at most half full
  std::size_t count_ = 0;
  Clock::time_point since_;
  std::int64_t low_ = 0, high_ = 0;
};

}  // namespace sqlite
