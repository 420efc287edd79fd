// What the board keeps of one customer: one slot a second, the newest reading, and the times of the last few.
#pragma once

#include <hbagent/host.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace hb::dashboard {

struct Slot {
  std::uint16_t heart_rate = 0;  // the last reading of that second, held within 0 to 65535
  std::uint8_t flags = 0;        // of all readings of that second
  bool used = false;
};
static_assert(sizeof(Slot) == 4);

// One slot a second, for the `size` seconds up to the newest one that was written. Not thread-safe.
class SlotRing {
 public:
  explicit SlotRing(std::int64_t size)
      : slots_(std::make_unique<Slot[]>(static_cast<std::size_t>(size))), size_(size) {}

  void clear() {
    std::fill_n(slots_.get(), size_, Slot{});
    head_ = INT64_MIN;
  }
  // REQUIRES: `second` is newer than the newest one less `size`. Clears what was passed over: one slot a second.
  void put(std::int64_t second, std::int32_t heart_rate, std::uint16_t flags) {
    if (head_ == INT64_MIN) {
      head_ = second;
    } else if (second - head_ >= size_) {
      clear();
      head_ = second;
    }
    for (; head_ < second; ++head_) slot(head_ + 1) = {};
    Slot& one = slot(second);
    one.heart_rate = static_cast<std::uint16_t>(std::clamp(heart_rate, 0, 65535));
    one.flags = static_cast<std::uint8_t>(one.flags | flags);
    one.used = true;
  }
  // An empty slot for a second that the ring does not hold (any more).
  Slot at(std::int64_t second) const {
    if (head_ == INT64_MIN || second > head_ || second <= head_ - size_) return {};
    return slots_[index(second)];
  }

 private:
  std::size_t index(std::int64_t second) const { return static_cast<std::size_t>(((second % size_) + size_) % size_); }
  Slot& slot(std::int64_t second) { return slots_[index(second)]; }

  std::unique_ptr<Slot[]> slots_;
  std::int64_t size_;
  std::int64_t head_ = INT64_MIN;
};

struct Customer {
  static constexpr std::size_t kRecent = 8;

  explicit Customer(std::int64_t slots) : ring(slots) {}

  std::string_view id() const { return {id_bytes.data(), id_size}; }
  void begin(std::string_view id) {
    id_size = static_cast<std::uint8_t>(id.copy(id_bytes.data(), id_bytes.size()));
    ring.clear();
    newest_slot_us = INT64_MIN;
    newest_us = INT64_MIN;
    flags = 0;
    recent.fill(INT64_MIN);
  }
  // Whether one of the last kRecent readings had this time: then it has come again.
  bool has_come(std::int64_t measured_us) const {
    return measured_us != INT64_MIN && measured_us <= newest_us &&
           std::find(recent.begin(), recent.end(), measured_us) != recent.end();
  }
  void note_time(std::int64_t measured_us) {
    recent[next_recent] = measured_us;
    next_recent = (next_recent + 1) % kRecent;
    newest_us = std::max(newest_us, measured_us);
  }

  std::array<char, HB_CUSTOMER_ID_CAPACITY> id_bytes{};
  std::uint8_t id_size = 0;
  std::uint16_t flags = 0;  // of the newest reading, as the next two
  std::int32_t heart_rate = 0;
  std::int64_t time_us = 0;
  std::int64_t newest_slot_us = INT64_MIN;  // its place on the board's time axis
  std::int64_t newest_us = INT64_MIN;       // the greatest measured time
  std::array<std::int64_t, kRecent> recent{};
  std::size_t next_recent = 0;
  SlotRing ring;
  Customer* older = nullptr;  // by when the last reading came
  Customer* newer = nullptr;
};

}  // namespace hb::dashboard
