// The extension hbagent.stored/1 in C++: a sink class with this member offers it.
//
//   void stored(const hb::StoredQuery& query, const hb::StoredOutput& output);
//
// It is called on an instance that was created and perhaps never opened, and changes nothing. Every reading of the span
// goes out in the order of time and bytes of the customer id. Failures are thrown. stored.h states the exact contract.
#ifndef HBAGENT_STORED_HPP
#define HBAGENT_STORED_HPP

#include <hbagent/stored.h>
#include <hbagent/host.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace hb {

// What is wanted. The view lasts for the call.
struct StoredQuery {
  StoredQuery() = default;
  explicit StoredQuery(const hb_stored_query& raw_query) {
    hb_stored_query raw{};
    std::memcpy(&raw, &raw_query, std::min<std::size_t>(raw_query.size, sizeof raw));
    if (raw.table != nullptr) table = raw.table;
    from_us = raw.from_us;
    until_us = raw.until_us;
  }

  std::string_view table;     // empty: where the sink itself puts readings
  std::int64_t from_us = 0;   // microseconds since the Unix epoch
  std::int64_t until_us = 0;  // the first time that is not wanted any more
};

// Takes what is stored.
class StoredOutput {
 public:
  explicit StoredOutput(const hb_stored_output& raw) : raw_(&raw) {}

  // False: enough, return soon.
  [[nodiscard]] bool readings(std::span<const Reading> readings) const {
    return raw_->readings(raw_->context, readings.data(), static_cast<std::uint32_t>(readings.size())) == HB_OK;
  }

 private:
  const hb_stored_output* raw_;
};

template <class Plugin>
concept HandsBackStored = requires(Plugin& plugin, const StoredQuery& query, const StoredOutput& output) {
  plugin.stored(query, output);
};

}  // namespace hb

#endif
