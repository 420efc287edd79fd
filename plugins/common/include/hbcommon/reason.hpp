// Why input did not become a reading: short, stable names that appear in metrics, dead letters and documentation.
#pragma once

#include <cstdint>

namespace hb::codec {

enum class Reason : std::uint8_t {
  ok,
  bad_csv,
  bad_customer_id,
  bad_encoding,
  bad_json,
  bad_senml,
  bad_time,
  bad_utf8,
  duplicate_key,
  empty,
  guard_mismatch,
  low_confidence,
  missing_customer_id,
  missing_heart_rate,
  missing_time,
  no_contact,
  no_measurement,
  not_a_number,
  not_an_object,
  out_of_range,
  retained_without_time,
  time_future,
  time_implausible,
  too_large,
  topic_not_mapped,
  truncated,
  zero_bpm,
};

// The name as text, "bad_json". Static storage.
const char* text(Reason reason) noexcept;

// True where the input is sound but holds no reading (sensor off, guard mismatch, ...): it is discarded and counted.
// False where it is malformed or cannot be stored: it goes to the dead letters.
bool is_no_reading(Reason reason) noexcept;

// The answer of every check and parser. `detail` is for a person, has static storage and never holds input.
struct [[nodiscard]] Outcome {
  Reason reason = Reason::ok;
  const char* detail = "";

  constexpr bool ok() const noexcept { return reason == Reason::ok; }
};

}  // namespace hb::codec
