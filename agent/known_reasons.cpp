#include "known_reasons.hpp"

#include <algorithm>
#include <array>

namespace hbagent {
namespace {

constexpr auto kReasons = std::to_array<std::string_view>(
    {// of decoders and of validate
     "bad_csv", "bad_customer_id", "bad_encoding", "bad_json", "bad_senml", "bad_time", "bad_utf8", "duplicate_key",
     "empty", "guard_mismatch", "low_confidence", "missing_customer_id", "missing_heart_rate", "missing_time",
     "no_contact", "no_measurement", "not_a_number", "not_an_object", "out_of_range", "retained_without_time",
     "time_future", "time_implausible", "too_large", "topic_not_mapped", "truncated", "zero_bpm",
     // of sinks
     "bad_topic", "check_violation", "data_error", "expired", "no_partition", "not_null_violation", "refused_by_broker",
     "refused_by_database"});

}  // namespace

bool is_known_reason(std::string_view reason) {
  return std::find(kReasons.begin(), kReasons.end(), reason) != kReasons.end();
}

}  // namespace hbagent
