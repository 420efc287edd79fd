// A libFuzzer entry over everything here that reads foreign bytes. The first byte chooses, the rest is the input; with
// HBAGENT_FUZZ_ONLY=name, one of kTargets, all of the input is for that one. Whatever is accepted must be sound: an id,
// a time within the calendar, and a reading that survives the wire format.
#include <hbcommon/customer_id.hpp>
#include <hbcommon/decoder.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/time_format.hpp>
#include <hbcommon/topic.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

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
    mapping.time.naive_zone = "UTC";
    mapping.heart_rate.pointers = {"/hr", "/data/0/hr"};
    mapping.heart_rate.numeric_strings = true;
    mapping.each = "/all/*[n=hr]/values";
    mapping.guard = GuardMapping{"/quality", std::nullopt, 0.5};
  } else if (kind == DecoderKind::csv) {
    mapping.customer_id.header = "id";
    mapping.time.header = "time";
    mapping.time.naive_zone = "UTC";
    mapping.heart_rate.header = "hr";
  } else if (kind == DecoderKind::senml) {
    mapping.customer_id.senml = SenmlName::name;
    mapping.customer_id.strip_suffix = "hr";
    mapping.time.senml = true;
    mapping.heart_rate.name = "hr";
    mapping.heart_rate.units = {"beat/min", ""};
  } else {
    mapping.customer_id.constant = "c";
    mapping.time.from = TimeFrom::receive;
  }
  return Decoder(mapping, {.max_payload = 4096});
}

Decoder make_hex_decoder() {
  Mapping mapping;
  mapping.decoder = DecoderKind::gatt_hrm;
  mapping.input_encoding = InputEncoding::hex;
  mapping.customer_id.constant = "c";
  mapping.time.from = TimeFrom::receive;
  return Decoder(mapping, {.max_payload = 4096});
}

constexpr std::int64_t kNow = 1'768'478'400'000'000;

void decode(Decoder& decoder, std::string_view bytes) {
  std::vector<Decoded> all;
  decoder.decode({bytes, "", kNow, false}, all);
  require(!all.empty());
  for (const Decoded& each : all) {
    if (each.outcome.ok()) check_reading(each.reading);
  }
}

// An element is decoded again when its dead letter is replayed: it fails alike, and grows no more.
void decode_again(Decoder& decoder, std::string_view bytes) {
  std::vector<Decoded> all, again;
  decoder.decode({bytes, "", kNow, false}, all);
  for (const Decoded& each : all) {
    if (each.outcome.ok() || is_no_reading(each.outcome.reason)) continue;
    const std::string element(each.element);
    decoder.decode_element({element, "", kNow, false}, again);
    require(again.size() == 1 && !again.front().outcome.ok());
    require(element.size() > 4096 || again.front().outcome.reason == each.outcome.reason);
    return;  // the views into the first decode are gone
  }
}

enum class Target { wire, json, csv, time, pattern, topic, scalar, gatt_hrm, gatt_hex, senml };
constexpr std::array kTargets = {"wire",  "json",   "csv",      "time",     "pattern",
                                 "topic", "scalar", "gatt_hrm", "gatt_hex", "senml"};

// The one that the environment names.
std::optional<Target> only() {
  const char* const name = std::getenv("HBAGENT_FUZZ_ONLY");
  if (name == nullptr) return std::nullopt;
  const auto found = std::find(kTargets.begin(), kTargets.end(), std::string_view(name));
  require(found != kTargets.end());
  return static_cast<Target>(found - kTargets.begin());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Decoder json = make_decoder(DecoderKind::json);
  static Decoder csv = make_decoder(DecoderKind::csv);
  static Decoder scalar = make_decoder(DecoderKind::scalar);
  static Decoder gatt = make_decoder(DecoderKind::gatt_hrm);
  static Decoder gatt_hex = make_hex_decoder();
  static Decoder senml = make_decoder(DecoderKind::senml);
  static const TimePattern pattern("%a %d %b %y %I:%M:%S.%f %p %z");
  static const TopicTemplate topic("a/{customer_id}/{_}");
  static const std::optional<Target> chosen = only();
  if (size == 0 && !chosen) return 0;
  const Target target = chosen ? *chosen : static_cast<Target>(data[0] % kTargets.size());
  const std::size_t skipped = chosen ? 0 : 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + skipped, size - skipped);
  hb::Reading reading{};
  CivilTime civil;
  std::int64_t time = 0;
  switch (target) {
    case Target::wire:
      if (parse_reading(bytes, reading).ok()) check_reading(reading);
      break;
    case Target::json:
      decode(json, bytes);
      break;
    case Target::csv:
      decode(csv, bytes);
      break;
    case Target::scalar:
      decode(scalar, bytes);
      break;
    case Target::gatt_hrm:
      decode(gatt, bytes);
      break;
    case Target::gatt_hex:
      decode(gatt_hex, bytes);
      break;
    case Target::senml:
      decode(senml, bytes);
      decode_again(senml, bytes);
      break;
    case Target::time:
      if (parse_time(bytes, time).ok()) {
        char text[kTimeTextSize];
        format_time(time, text);
        std::int64_t again = 0;
        require(parse_time({text, sizeof text}, again).ok() && again == time);
      }
      break;
    case Target::pattern:
      (void)pattern.parse(bytes, civil);
      break;
    case Target::topic:
      if (const auto id = topic.match(bytes)) require(!id->empty() && id->find('/') == std::string_view::npos);
  }
  return 0;
}
