// PostgreSQL's binary formats of the columns that the sink writes: COPY BINARY rows and one-dimensional arrays.
// Format: PostgreSQL manual, "COPY, Binary Format", and the types' send functions (array_send, timestamptz_send).
#pragma once

#include <hbagent/sdk.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace postgres {

// Type identifiers, fixed in the server's catalogue.
inline constexpr std::uint32_t kInt2 = 21, kInt4 = 23, kInt8 = 20, kVarchar = 1043, kTimestamp = 1114,
                               kTimestamptz = 1184;
inline constexpr std::uint32_t kInt2Array = 1005, kInt4Array = 1007, kVarcharArray = 1015, kTimestampArray = 1115,
                               kTimestamptzArray = 1185;

// The server counts microseconds from 2000-01-01; both directions, clamped to what a timestamp can hold. (INT64_MAX
// would be taken as infinity without an error.)
std::int64_t to_server_time(std::int64_t unix_us);
std::int64_t from_server_time(std::int64_t server_us);

void append_int16(std::string& out, std::int16_t value);
void append_int32(std::string& out, std::int32_t value);
void append_int64(std::string& out, std::int64_t value);
std::int32_t read_int32(const char* bytes);
std::int64_t read_int64(const char* bytes);

// COPY BINARY of heartbeats (customer_id, time, heart_rate, flags, received_at).
void append_copy_header(std::string& out);
void append_copy_row(std::string& out, const hb::Reading& reading);
void append_copy_trailer(std::string& out);

// Builds a one-dimensional array without NULLs.
class ArrayEncoder {
 public:
  ArrayEncoder(std::uint32_t element_type, std::size_t count);
  void add_int16(std::int16_t value);
  void add_int32(std::int32_t value);
  void add_int64(std::int64_t value);
  void add_text(std::string_view value);
  std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Text that the server takes as UTF-8: no overlong form, no surrogate, nothing beyond U+10FFFF, no NUL.
bool valid_text(std::string_view text);

}  // namespace postgres
