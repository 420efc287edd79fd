// What a processor remembers of each customer, bounded.
#pragma once

#include <hbagent/host.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace hb::codec {

// A State for each of the newest customers: any that is among the `max_customers` / 2 seen last has its own, and there
// are never more than `max_customers`. The others are forgotten, half of the bound at a time. Not thread-safe.
template <class State>
class CustomerMap {
 public:
  explicit CustomerMap(std::size_t max_customers) : half_(std::max<std::size_t>(1, max_customers / 2)) {}

  // The customer's; a new one, State{}, where it is not known (any more). Valid until the next call.
  State& operator[](const Reading& reading) {
    const Key key = key_of(reading);
    if (const auto found = young_.find(key); found != young_.end()) return found->second;
    State state{};
    if (const auto known = old_.find(key); known != old_.end()) {
      state = std::move(known->second);
      old_.erase(known);
    }
    if (young_.size() >= half_) {
      forgotten_ += old_.size();
      old_ = std::exchange(young_, {});
    }
    return young_.emplace(key, std::move(state)).first->second;
  }

  std::size_t size() const { return young_.size() + old_.size(); }
  // How many were forgotten since the last call.
  std::size_t take_forgotten() { return std::exchange(forgotten_, 0); }

 private:
  using Key = std::array<char, HB_CUSTOMER_ID_CAPACITY>;
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>{}({key.data(), strnlen(key.data(), key.size())});
    }
  };
  static Key key_of(const Reading& reading) {
    Key key{};
    const std::string_view id(reading.customer_id, strnlen(reading.customer_id, sizeof reading.customer_id));
    std::copy(id.begin(), id.end(), key.begin());
    return key;
  }
  using Map = std::unordered_map<Key, State, Hash>;

  const std::size_t half_;
  Map young_, old_;
  std::size_t forgotten_ = 0;
};

}  // namespace hb::codec
