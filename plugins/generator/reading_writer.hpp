// Puts the model's rates into readings, as fast as memory takes them.
#pragma once

#include <cstdint>
#include <hbagent/host.hpp>
#include <span>
#include <vector>

#include "cadence.hpp"
#include "heart_model.hpp"
#include "id_pattern.hpp"

namespace generator {

class ReadingWriter {
 public:
  // 16, 32 or 48 bytes a customer, as the ids need, and 64 bytes for each reading of a batch.
  ReadingWriter(const IdPattern& pattern, Cadence cadence, std::uint32_t batch_size);

  // The readings [index, index + count); count is at most the batch size. Valid until the next call.
  std::span<const hb::Reading> make(HeartModel& model, std::int64_t index, std::uint32_t count,
                                    std::int64_t received_us);

 private:
  using Row = void (ReadingWriter::*)(hb::Reading* out, std::span<const std::uint8_t> rates, std::int64_t slot,
                                      std::int64_t customer, std::int64_t received_us) const;
  template <std::size_t kBytes>
  void write_row(hb::Reading* out, std::span<const std::uint8_t> rates, std::int64_t slot, std::int64_t customer,
                 std::int64_t received_us) const;

  Cadence cadence_;
  // Of each customer the bytes from heart_rate to the end of the longest id. What lies behind in a batch stays zero.
  std::vector<char> templates_;
  std::vector<hb::Reading> batch_;
  Row row_ = nullptr;
};

}  // namespace generator
