#include "delivery.hpp"

#include <cstring>

namespace hb::kafka {

Fate fate_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return Fate::delivered;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return Fate::smaller;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return Fate::reject;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__STATE:
    case RD_KAFKA_RESP_ERR__INCONSISTENT:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    // Metadata may be out of date: open finds out, and creates the topic or says that it is missing.
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return Fate::reopen;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return Fate::failed;
    default:  // no leader, too few replicas, purged, timed out, and what is not known yet: nothing is lost by trying
      return Fate::retry;
  }
}

void Deliveries::start(std::size_t count) {
  codes_.assign(count, kUnsent);
  in_flight_ = 0;
}

void Deliveries::report(std::size_t index, rd_kafka_resp_err_t code) noexcept {
  codes_[index] = code;
  --in_flight_;
}

Summary summarize(const Deliveries& deliveries) {
  Summary summary;
  Fate gravest = Fate::delivered;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    const auto code = deliveries.is_settled(i) ? deliveries.code(i) : RD_KAFKA_RESP_ERR__IN_PROGRESS;
    const Fate fate = fate_of(code);
    ++summary.counts[static_cast<std::size_t>(fate)];
    if (fate > gravest) {
      gravest = fate;
      summary.gravest = code;
    }
  }
  return summary;
}

bool same_readings(std::span<const Reading> left, std::span<const Reading> right) {
  return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size_bytes()) == 0;
}

}  // namespace hb::kafka
