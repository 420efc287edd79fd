// The board as it is described, as slow and plain as can be: it keeps every reading.
#pragma once

#include <hbagent/host.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hb::dashboard {

class Reference {
 public:
  Reference(std::int64_t window, std::size_t most) : window_(window), most_(most) {}

  struct Kept {
    Reading reading;
    std::int64_t slot;
  };
  struct One {
    std::vector<Kept> kept;  // since it was known, in the order of arrival
    std::uint64_t last_touch = 0;
  };

  // False: it has come before.
  bool add(const Reading& reading, std::int64_t now) {
    const std::string id(customer_id(reading));
    if (customers.count(id) == 0 && customers.size() == most_) {
      customers.erase(std::min_element(customers.begin(), customers.end(), [](const auto& a, const auto& b) {
        return a.second.last_touch < b.second.last_touch;
      }));
      ++evicted;
    }
    One& one = customers[id];
    one.last_touch = ++touches_;
    const std::size_t first = one.kept.size() > 8 ? one.kept.size() - 8 : 0;
    for (std::size_t i = first; i < one.kept.size(); ++i) {
      if (one.kept[i].reading.time_us == reading.time_us) return false;
    }
    const std::int64_t measured = reading.time_us / 1'000'000;
    const std::int64_t slot = measured > now - window_ && measured <= now + 2 ? measured : now;
    one.kept.push_back({reading, slot});
    all.push_back({reading, slot});
    return true;
  }

  // The newest: the last to arrive in the latest slot.
  static const Kept& newest(const One& one) {
    const Kept* best = &one.kept.front();
    for (const Kept& kept : one.kept) {
      if (kept.slot >= best->slot) best = &kept;
    }
    return *best;
  }
  static std::optional<std::int32_t> value(const One& one, std::int64_t slot) {
    std::optional<std::int32_t> found;
    for (const Kept& kept : one.kept) {
      if (kept.slot == slot) found = kept.reading.heart_rate;
    }
    return found;
  }
  static unsigned flags(const One& one, std::int64_t slot) {
    unsigned found = 0;
    for (const Kept& kept : one.kept) {
      if (kept.slot == slot) found |= kept.reading.flags;
    }
    return found;
  }

  std::map<std::string, One> customers;
  std::vector<Kept> all;
  std::size_t evicted = 0;

 private:
  std::int64_t window_;
  std::size_t most_;
  std::uint64_t touches_ = 0;
};

}  // namespace hb::dashboard
