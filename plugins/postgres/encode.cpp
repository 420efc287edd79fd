#include "encode.hpp"

#include <algorithm>
#include <bit>

namespace postgres {
namespace {

constexpr std::int64_t kEpochShift = 946'684'800'000'000;           // 1970-01-01 to 2000-01-01
constexpr std::int64_t kServerMinimum = -211'813'488'000'000'000;   // 4714-11-24 BC
constexpr std::int64_t kServerMaximum = 9'223'371'331'199'999'999;  // 294276-12-31

template <class T>
void append_big_endian(std::string& out, T value) {
  char bytes[sizeof(T)];
  auto rest = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = sizeof(T); i-- > 0;) {
    bytes[i] = static_cast<char>(rest & 0xff);
    rest = static_cast<std::make_unsigned_t<T>>(rest >> (sizeof(T) > 1 ? 8 : 0));
  }
  out.append(bytes, sizeof bytes);
}

template <class T>
T read_big_endian(const char* bytes) {
  std::make_unsigned_t<T> value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<std::make_unsigned_t<T>>((value << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return static_cast<T>(value);
}

}  // namespace

std::int64_t to_server_time(std::int64_t unix_us) {
  // The largest Unix time that fits is far above any that the server can hold, so only the low end can overflow.
  if (unix_us < kServerMinimum + kEpochShift) return kServerMinimum;
  return std::min(unix_us - kEpochShift, kServerMaximum);
}

std::int64_t from_server_time(std::int64_t server_us) {
  return server_us > INT64_MAX - kEpochShift ? INT64_MAX : server_us + kEpochShift;
}

void append_int16(std::string& out, std::int16_t value) {
  append_big_endian(out, value);
}
void append_int32(std::string& out, std::int32_t value) {
  append_big_endian(out, value);
}
void append_int64(std::string& out, std::int64_t value) {
  append_big_endian(out, value);
}
std::int32_t read_int32(const char* bytes) {
  return read_big_endian<std::int32_t>(bytes);
}
std::int64_t read_int64(const char* bytes) {
  return read_big_endian<std::int64_t>(bytes);
}

void append_copy_header(std::string& out) {
  out.append("PGCOPY\n\377\r\n\0", 11);
  append_int32(out, 0);  // flags
  append_int32(out, 0);  // header extension
}

void append_copy_row(std::string& out, const hb::Reading& reading) {
  const std::string_view id = hb::customer_id(reading);
  append_int16(out, 5);
  append_int32(out, static_cast<std::int32_t>(id.size()));
  out += id;
  append_int32(out, 8);
  append_int64(out, to_server_time(reading.time_us));
  append_int32(out, 4);
  append_int32(out, reading.heart_rate);
  append_int32(out, 2);
  append_int16(out, static_cast<std::int16_t>(reading.flags));
  append_int32(out, 8);
  append_int64(out, to_server_time(reading.received_us));
}

void append_copy_trailer(std::string& out) {
  append_int16(out, -1);
}

ArrayEncoder::ArrayEncoder(std::uint32_t element_type, std::size_t count) {
  append_int32(bytes_, count == 0 ? 0 : 1);  // dimensions
  append_int32(bytes_, 0);                   // no NULLs
  append_int32(bytes_, static_cast<std::int32_t>(element_type));
  if (count == 0) return;
  append_int32(bytes_, static_cast<std::int32_t>(count));
  append_int32(bytes_, 1);  // lower bound
}

void ArrayEncoder::add_int16(std::int16_t value) {
  append_int32(bytes_, 2);
  append_int16(bytes_, value);
}
void ArrayEncoder::add_int32(std::int32_t value) {
  append_int32(bytes_, 4);
  append_int32(bytes_, value);
}
void ArrayEncoder::add_int64(std::int64_t value) {
  append_int32(bytes_, 8);
  append_int64(bytes_, value);
}
void ArrayEncoder::add_text(std::string_view value) {
  append_int32(bytes_, static_cast<std::int32_t>(value.size()));
  bytes_ += value;
}

bool valid_text(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return false;
    unsigned point = lead & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0U) != 0x80) return false;
      point = (point << 6) | (byte(i + k) & 0x3fU);
    }
    if (length == 3 && (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))) return false;
    if (length == 4 && (point < 0x10000 || point > 0x10ffff)) return false;
    i += length;
  }
  return true;
}

}  // namespace postgres
