// The newest stored time of each customer, as far as this writer knows: what is newer cannot be stored yet and may be
// copied straight in. Only speed depends on it: too low a mark costs a redo (the primary key refuses), too high a mark
// costs the slower path. So customers are known by a 64-bit hash, and the oldest are forgotten when it gets full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace postgres {

class Watermarks {
 public:
  // Holds between half of `capacity` and all of it once there are that many customers; at most 64 bytes each.
  explicit Watermarks(std::size_t capacity) : half_(capacity / 2) {}

  // The mark of a customer; nothing where it is not known and must be loaded.
  std::optional<std::int64_t> find(std::uint64_t customer);
  // Never lowers a mark.
  void raise(std::uint64_t customer, std::int64_t time);
  void clear();
  std::size_t size() const { return young_.size() + old_.size(); }

 private:
  // A hash table with open addressing that is at most half full.
  class Table {
   public:
    // The time of a customer, or nullptr.
    std::int64_t* find(std::uint64_t customer);
    // REQUIRES that the customer is not there.
    void add(std::uint64_t customer, std::int64_t time);
    std::size_t size() const { return size_; }

   private:
    struct Slot {
      std::uint64_t customer;  // 0: free; a customer whose hash is 0 is known as 1
      std::int64_t time;
    };
    std::size_t slot_of(std::uint64_t customer) const;
    std::vector<Slot> slots_;  // a power of two, or none
    std::size_t size_ = 0;
  };
  std::size_t half_;
  Table young_, old_;
};

}  // namespace postgres
