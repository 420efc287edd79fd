#include "row_format.hpp"

#include <hbcommon/csv.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/wire.hpp>

#include <charconv>
#include <cstring>

namespace hb::file {
namespace {

char* put_text(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_csv_text(char* at, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return put_text(at, text);
  *at++ = '"';
  for (const char c : text) {
    if (c == '"') *at++ = '"';
    *at++ = c;
  }
  *at++ = '"';
  return at;
}

char* put_flags(char* at, std::uint16_t flags) {
  const char* const first = at;
  for (std::uint32_t bit = 1; bit <= flags; bit <<= 1) {
    const char* name = (flags & bit) != 0 ? codec::flag_name(static_cast<std::uint16_t>(bit)) : nullptr;
    if (name == nullptr) continue;
    if (at != first) *at++ = '|';
    at = put_text(at, name);
  }
  return at;
}

char* put_time(char* at, std::int64_t time_us) {
  // A receive time that no calendar can write comes from a broken clock upstream; the column then stays empty.
  if (time_us < codec::kMinTimeUs || time_us > codec::kMaxTimeUs) return at;
  codec::format_time(time_us, at);
  return at + codec::kTimeTextSize;
}

std::size_t write_csv(const Reading& reading, char* out) {
  char* at = put_csv_text(out, customer_id(reading));
  *at++ = ',';
  at = put_time(at, reading.time_us);
  *at++ = ',';
  at = std::to_chars(at, at + 12, reading.heart_rate).ptr;
  *at++ = ',';
  at = put_flags(at, reading.flags);
  *at++ = ',';
  at = put_time(at, reading.received_us);
  *at++ = '\n';
  return static_cast<std::size_t>(at - out);
}

}  // namespace

std::size_t write_row(RowFormat format, const Reading& reading, char* out) {
  static_assert(kRowCapacity > codec::kReadingJsonCapacity + 1);
  if (format == RowFormat::csv) return write_csv(reading, out);
  const std::size_t size = codec::format_reading(reading, out);
  out[size] = '\n';
  return size + 1;
}

bool is_whole_row(RowFormat format, std::string_view text) {
  if (format == RowFormat::jsonl) {
    Reading reading{};
    const codec::Outcome read = codec::parse_reading(text, reading);
    return read.ok() || read.reason == codec::Reason::zero_bpm;  // written all the same, and whole
  }
  codec::CsvSplitter splitter;
  std::int64_t time_us = 0;
  return splitter.split(text).ok() && splitter.fields().size() == 5 &&
         codec::parse_time(splitter.fields()[4], time_us).ok();
}

}  // namespace hb::file
