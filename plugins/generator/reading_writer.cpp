#include "reading_writer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace generator {
namespace {

constexpr std::size_t kTemplateBegin = offsetof(hb::Reading, heart_rate);
static_assert(sizeof(hb::Reading) == kTemplateBegin + 48);

}  // namespace

ReadingWriter::ReadingWriter(const IdPattern& pattern, Cadence cadence, std::uint32_t batch_size)
    : cadence_(cadence), batch_(batch_size) {
  const auto customers = static_cast<std::uint32_t>(cadence.customers);
  const std::size_t end = offsetof(hb::Reading, customer_id) + pattern.id(customers - 1).size();
  const std::size_t size = end <= kTemplateBegin + 16 ? 16 : end <= kTemplateBegin + 32 ? 32 : 48;
  row_ = size == 16   ? &ReadingWriter::write_row<16>
         : size == 32 ? &ReadingWriter::write_row<32>
                      : &ReadingWriter::write_row<48>;
  templates_.resize(size * customers);
  for (std::uint32_t customer = 0; customer < customers; ++customer) {
    hb::Reading reading{};
    if (!hb::set_customer_id(reading, pattern.id(customer))) throw hb::Failed("id_pattern: an id does not fit");
    std::memcpy(templates_.data() + size * customer, reinterpret_cast<const char*>(&reading) + kTemplateBegin, size);
  }
}

std::span<const hb::Reading> ReadingWriter::make(HeartModel& model, std::int64_t index, std::uint32_t count,
                                                 std::int64_t received_us) {
  std::int64_t slot = index / cadence_.customers;
  std::int64_t customer = index % cadence_.customers;
  for (std::int64_t made = 0; made < count;) {
    const std::int64_t width = std::min(count - made, cadence_.customers - customer);
    const auto rates = model.at(slot).subspan(static_cast<std::size_t>(customer), static_cast<std::size_t>(width));
    (this->*row_)(batch_.data() + made, rates, slot, customer, received_us);
    made += width;
    customer = 0;
    ++slot;
  }
  return std::span(batch_).first(count);
}

template <std::size_t kBytes>
void ReadingWriter::write_row(hb::Reading* out, std::span<const std::uint8_t> rates, std::int64_t slot,
                              std::int64_t customer, std::int64_t received_us) const {
  // floor(customer * interval / customers) for one customer after the other without a division.
  const std::int64_t step = cadence_.interval_us / cadence_.customers;
  const std::int64_t step_rest = cadence_.interval_us % cadence_.customers;
  std::int64_t time = slot * cadence_.interval_us + cadence_.phase_us(customer);
  std::int64_t rest = customer * cadence_.interval_us % cadence_.customers;
  const char* source = templates_.data() + kBytes * static_cast<std::size_t>(customer);
  for (const std::uint8_t rate : rates) {
    out->time_us = time;
    out->received_us = received_us;
    std::memcpy(reinterpret_cast<char*>(out) + kTemplateBegin, source, kBytes);
    out->heart_rate = rate;
    ++out;
    source += kBytes;
    rest += step_rest;
    const bool carry = rest >= cadence_.customers;
    time += step + (carry ? 1 : 0);
    rest -= carry ? cadence_.customers : 0;
  }
}

}  // namespace generator
