#include "validate_processor.hpp"

#include <hbcommon/customer_id.hpp>
#include <hbcommon/time.hpp>

#include <cstring>
#include <limits>
#include <string_view>

using hb::codec::Outcome;
using hb::codec::Reason;

namespace {

// The text up to the NUL; all of it where there is none, which is then too long to be an id.
std::string_view id_of(const hb::Reading& reading) {
  return {reading.customer_id, strnlen(reading.customer_id, sizeof reading.customer_id)};
}

}  // namespace

ValidateProcessor::ValidateProcessor(const Config& config, hb::Host) : config_(config) {
  if (config_.min_heart_rate > config_.max_heart_rate) {
    throw hb::Failed("min_heart_rate is larger than max_heart_rate: no reading could pass");
  }
  if (const Outcome parsed = hb::codec::parse_time(config_.earliest, earliest_us_); !parsed.ok()) {
    throw hb::Failed("earliest: found \"" + config_.earliest +
                     "\", expected a time such as \"1980-01-01T00:00:00Z\": " + parsed.detail);
  }
  max_future_us_ = std::chrono::microseconds(config_.max_future).count();
}

void ValidateProcessor::process(hb::MutableBatch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Outcome outcome = check(batch[i]);
    if (outcome.ok()) continue;
    if (hb::codec::is_no_reading(outcome.reason)) {
      batch.discard(i, text(outcome.reason));
    } else {
      batch.reject(i, text(outcome.reason), outcome.detail);
    }
  }
}

Outcome ValidateProcessor::check(hb::Reading& reading) const {
  if (const Outcome id = hb::codec::check_customer_id(id_of(reading)); !id.ok()) return id;
  if (reading.heart_rate == 0) return {Reason::zero_bpm, "the sensor has no contact"};
  if (reading.heart_rate < config_.min_heart_rate) return {Reason::out_of_range, "below min_heart_rate"};
  if (reading.heart_rate > config_.max_heart_rate) return {Reason::out_of_range, "above max_heart_rate"};
  return check_time(reading);
}

Outcome ValidateProcessor::check_time(hb::Reading& reading) const {
  Outcome outcome;
  std::int64_t latest = 0;
  if (__builtin_add_overflow(reading.received_us, max_future_us_, &latest)) latest = hb::codec::kMaxTimeUs;
  if (reading.time_us < earliest_us_) {
    outcome = {Reason::time_implausible, "before `earliest`"};
  } else if (reading.time_us > hb::codec::kMaxTimeUs) {
    outcome = {Reason::time_implausible, "after the year 9999"};
  } else if (reading.time_us > latest) {
    outcome = {Reason::time_future, "more than max_future ahead of the time of receipt"};
  }
  if (outcome.ok() || config_.clock == Clock::reject) return outcome;
  reading.time_us = reading.received_us;
  reading.flags |= HB_FLAG_CLOCK;
  return {};
}
