// A libFuzzer entry over everything here that reads foreign bytes. The first byte chooses, the rest is the input.
// Whatever is accepted must be sound: an id, a time within the calendar, and a reading that survives the wire format.
#include <hbcommon/customer_id.hpp>
#include <hbcommon/decoder.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/time_format.hpp>
#include <hbcommon/topic.hpp>
#include <hbcommon/wire.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

using namespace hb::codec;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_reading(const hb::Reading& reading) {
  require(check_storable(reading).ok());
  char buffer[kReadingJsonCapacity];
  const std::size_t size = format_reading(reading, buffer);
  require(size > 0 && size <= sizeof buffer);
  hb::Reading again{};
  require(parse_reading({buffer, size}, again).ok());
  require(again.time_us == reading.time_us && again.heart_rate == reading.heart_rate);
  require(std::memcmp(again.customer_id, reading.customer_id, sizeof again.customer_id) == 0);
}

Decoder make_decoder(DecoderKind kind) {
  Mapping mapping;
  mapping.decoder = kind;
  if (kind == DecoderKind::json) {
    mapping.customer_id.pointer = "/id";
    mapping.time.pointer = "/time";
    mapping.heart_rate.pointers = {"/hr", "/data/0/hr"};
    mapping.heart_rate.numeric_strings = true;
    mapping.each = "/all/*[n=hr]/values";
    mapping.guard = GuardMapping{"/quality", std::nullopt, 0.5};
  } else {
    mapping.customer_id.header = "id";
    mapping.time.header = "time";
    mapping.heart_rate.header = "hr";
  }
  mapping.time.naive_zone = "UTC";
  return Decoder(mapping, {.max_payload = 4096});
}

void decode(Decoder& decoder, std::string_view bytes) {
  std::vector<Decoded> all;
  decoder.decode({bytes, "", 0, false}, all);
  require(!all.empty());
  for (const Decoded& each : all) {
    if (each.outcome.ok()) check_reading(each.reading);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Decoder json = make_decoder(DecoderKind::json);
  static Decoder csv = make_decoder(DecoderKind::csv);
  static const TimePattern pattern("%a %d %b %y %I:%M:%S.%f %p %z");
  static const TopicTemplate topic("a/{customer_id}/{_}");
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  hb::Reading reading{};
  CivilTime civil;
  std::int64_t time = 0;
  switch (data[0] % 6) {
    case 0:
      if (parse_reading(bytes, reading).ok()) check_reading(reading);
      break;
    case 1:
      decode(json, bytes);
      break;
    case 2:
      decode(csv, bytes);
      break;
    case 3:
      if (parse_time(bytes, time).ok()) {
        char text[kTimeTextSize];
        format_time(time, text);
        std::int64_t again = 0;
        require(parse_time({text, sizeof text}, again).ok() && again == time);
      }
      break;
    case 4:
      (void)pattern.parse(bytes, civil);
      break;
    default:
      if (const auto id = topic.match(bytes)) require(!id->empty() && id->find('/') == std::string_view::npos);
  }
  return 0;
}
