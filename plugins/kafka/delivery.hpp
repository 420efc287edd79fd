// What became of each reading that the sink gave to librdkafka, and what that asks for.
#pragma once

#include <hbagent/host.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rdkafka.hpp"

namespace hb::kafka {

// What an answer of librdkafka or of a broker means for a reading.
enum class Fate : std::uint8_t {
  delivered,
  retry,    // may pass by itself
  reject,   // this record is at fault, or one that travelled with it
  smaller,  // the record, or the batch that it travelled in, is too large for the topic
  reopen,   // the producer cannot go on; a new one can
  failed    // a person has to change the configuration or the rights
};

Fate fate_of(rd_kafka_resp_err_t code);

// The deliveries of one batch, by position. Delivery reports arrive within rd_kafka_poll and rd_kafka_flush, so on the
// instance's thread; nothing here is locked.
class Deliveries {
 public:
  // Begins with `count` readings that were not sent. REQUIRES: none is in flight.
  void start(std::size_t count);
  // Room for readings that joined the batch; what is known of the first ones stays.
  void extend(std::size_t count) { codes_.resize(count, kUnsent); }

  std::size_t size() const { return codes_.size(); }
  bool is_unsent(std::size_t index) const { return codes_[index] == kUnsent; }
  // Whether the last answer is final. False: unsent, or in flight.
  bool is_settled(std::size_t index) const { return codes_[index] >= kSettled; }
  // REQUIRES: is_settled(index)
  rd_kafka_resp_err_t code(std::size_t index) const {
    return static_cast<rd_kafka_resp_err_t>(was_alone(index) ? codes_[index] - kAlone : codes_[index]);
  }
  // Whether the answer was to this reading alone, not to the batch that it travelled in.
  bool was_alone(std::size_t index) const { return codes_[index] >= kAlone / 2; }

  void sent(std::size_t index) {
    codes_[index] = kInFlight;
    ++in_flight_;
  }
  void settle(std::size_t index, rd_kafka_resp_err_t code) { codes_[index] = code; }
  // REQUIRES: is_settled(index), and that it was sent by itself.
  void mark_alone(std::size_t index) {
    if (!was_alone(index)) codes_[index] += kAlone;
  }
  // To be sent again.
  void unsettle(std::size_t index) { codes_[index] = kUnsent; }
  // A delivery report.
  void report(std::size_t index, rd_kafka_resp_err_t code) noexcept;
  std::size_t in_flight() const { return in_flight_; }

 private:
  // Below librdkafka's own codes, which begin at -200.
  static constexpr std::int32_t kUnsent = -1002;
  static constexpr std::int32_t kInFlight = -1001;
  static constexpr std::int32_t kSettled = -1000;
  static constexpr std::int32_t kAlone = 1 << 20;

  std::vector<std::int32_t> codes_;
  std::size_t in_flight_ = 0;
};

// How many readings have each fate, and the answer that stands for the gravest.
struct Summary {
  std::array<std::size_t, 6> counts{};
  rd_kafka_resp_err_t gravest = RD_KAFKA_RESP_ERR_NO_ERROR;

  std::size_t of(Fate fate) const { return counts[static_cast<std::size_t>(fate)]; }
};

Summary summarize(const Deliveries& deliveries);

// Whether two spans hold the same readings, byte by byte.
bool same_readings(std::span<const Reading> left, std::span<const Reading> right);

}  // namespace hb::kafka
