// The wire format of a reading, one JSON object:
//   {"customer_id":"cust_00042","time":"2026-11-22T10:00:00.123456Z","heart_rate":72}
// plus "flags":["high"] where any flag is set. Any producer of that object can feed the pipeline.
// All functions are pure. [any thread]
#pragma once

#include <hbagent/host.hpp>
#include <hbcommon/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hb::codec {

// Name of one flag bit ("low", "high", "jump", "flatline", "clock"); nullptr for a bit without a name.
const char* flag_name(std::uint16_t flag) noexcept;
// Bit of a flag's name; 0 for an unknown one.
std::uint16_t flag_from_name(std::string_view name) noexcept;

// Reads one reading: time_us, heart_rate, flags and customer_id. received_us stays as the caller set it. On a failure
// `reading` does not change. Unknown members, white space, any order of keys and escapes are fine; so are flags
// without a meaning here, which are ignored. Refused: a key twice, anywhere (duplicate_key), a customer_id that is no
// string, a heart_rate that is no number, a time that is no ISO 8601 text with a zone. heart_rate decimals round half
// to even. A heart rate of 0 is no reading, as in every other format: zero_bpm, where nothing else is wrong. Whether a
// heart rate or a time is plausible is not asked here.
// `default_id` stands in where the object names no customer (for instance a Kafka record's key).
Outcome parse_reading(std::string_view json, Reading& reading, std::string_view default_id = {});

// Room for any reading: every byte of the id escaped, every flag set.
inline constexpr std::size_t kReadingJsonCapacity = 416;

// Whether other programs can hold the reading: a valid customer id, a time in years 0000 to 9999.
Outcome check_storable(const Reading& reading) noexcept;

// Writes the object, no line end, no NUL; returns its size. 0, and nothing useful written, where check_storable says
// no. `out` has room for kReadingJsonCapacity bytes. received_us and flags without a name are not part of the format.
std::size_t format_reading(const Reading& reading, char* out) noexcept;

}  // namespace hb::codec
