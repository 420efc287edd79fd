#include "hbcommon/wire.hpp"

#include "hbcommon/customer_id.hpp"
#include "hbcommon/json.hpp"
#include "hbcommon/number.hpp"
#include "hbcommon/reason.hpp"
#include "hbcommon/time.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

namespace hb::codec {
namespace {

// By bit: HB_FLAG_LOW is bit 0.
constexpr std::array<std::string_view, 5> kFlagNames = {"low", "high", "jump", "flatline", "clock"};

enum Seen : unsigned { kCustomer = 1, kTime = 2, kHeartRate = 4, kFlags = 8 };

// What a reading holds, before any of it is written to the caller's.
struct Fields {
  std::string_view customer_id;
  std::int64_t time_us = 0;
  std::int32_t heart_rate = 0;
  std::uint16_t flags = 0;
};

void store(const Fields& fields, Reading& reading) {
  reading.time_us = fields.time_us;
  reading.heart_rate = fields.heart_rate;
  reading.flags = fields.flags;
  set_customer_id(reading, fields.customer_id);
}

// ---- the usual shape: the four members in any order, nothing escaped, plain ASCII. Gives up without a reason on
// everything else; the strict reader below then decides.

class FastReader {
 public:
  explicit FastReader(std::string_view json) : at_(json.data()), end_(at_ + json.size()) {}

  bool read(Fields& out) {
    if (!skip('{')) return false;
    do {
      if (!skip('"') || !member(out)) return false;
    } while (skip(','));
    if (!skip('}')) return false;
    space();
    constexpr unsigned kNeeded = kCustomer | kTime | kHeartRate;
    return at_ == end_ && (seen_ & kNeeded) == kNeeded;
  }

 private:
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool skip(char wanted) {
    if (at_ != end_ && *at_ != wanted) space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  // The rest of a key, its quote and colon; each key once.
  template <std::size_t Size>
  bool key(const char (&rest)[Size], unsigned bit) {
    if (static_cast<std::size_t>(end_ - at_) < Size || std::memcmp(at_, rest, Size - 1) != 0) return false;
    if ((seen_ & bit) != 0) return false;
    seen_ |= bit;
    at_ += Size - 1;
    return skip(':');
  }
  // Text between quotes; false where it needs more than a look for the closing one.
  bool plain(std::string_view& out) {
    if (!skip('"')) return false;
    const auto left = static_cast<std::size_t>(end_ - at_);
    const void* const quote = std::memchr(at_, '"', left < kLongest ? left : kLongest);
    if (quote == nullptr) return false;
    const auto* const end = static_cast<const char*>(quote);
    out = {at_, static_cast<std::size_t>(end - at_)};
    at_ = end + 1;
    return true;
  }
  bool customer(Fields& out) {
    if (!plain(out.customer_id) || out.customer_id.empty() || out.customer_id.size() > kMaxCustomerId) return false;
    unsigned odd = 0;
    unsigned visible = 0;
    for (const char c : out.customer_id) {
      const auto byte = static_cast<unsigned char>(c);
      odd |=
          static_cast<unsigned>(byte < 0x20) | static_cast<unsigned>(byte > 0x7e) | static_cast<unsigned>(byte == '\\');
      visible |= static_cast<unsigned>(byte != ' ');
    }
    return odd == 0 && visible != 0;
  }
  bool time(Fields& out) {
    std::string_view text;
    return plain(text) && parse_time(text, out.time_us).ok();
  }
  bool heart_rate(Fields& out) {
    space();
    Decimal number;
    const char* const end = parse_number(at_, end_, number);
    if (end == nullptr) return false;
    at_ = end;
    return to_heart_rate(number, out.heart_rate).ok() && out.heart_rate != 0;
  }
  bool flags(Fields& out) {
    if (!skip('[')) return false;
    if (skip(']')) return true;
    do {
      std::string_view name;
      if (!plain(name)) return false;
      const std::uint16_t flag = flag_from_name(name);
      if (flag == 0) return false;
      out.flags = static_cast<std::uint16_t>(out.flags | flag);
    } while (skip(','));
    return skip(']');
  }
  bool member(Fields& out) {
    if (at_ == end_) return false;
    switch (*at_) {
      case 'c':
        return key("customer_id\"", kCustomer) && customer(out);
      case 't':
        return key("time\"", kTime) && time(out);
      case 'h':
        return key("heart_rate\"", kHeartRate) && heart_rate(out);
      case 'f':
        return key("flags\"", kFlags) && flags(out);
      default:
        return false;
    }
  }

  static constexpr std::size_t kLongest = 64;
  const char* at_;
  const char* end_;
  unsigned seen_ = 0;
};

// ---- everything else: the strict reader, which finds the reason

Outcome read_customer(const JsonValue& object, std::string_view default_id, std::string& scratch, Fields& out) {
  const std::optional<JsonValue> value = object.child("customer_id");
  if (value && value->kind() != JsonKind::null) {
    if (value->kind() != JsonKind::string) return {Reason::bad_customer_id, "customer_id is no text"};
    out.customer_id = value->text(scratch);
  } else {
    out.customer_id = default_id;
  }
  return check_customer_id(out.customer_id);
}

Outcome read_time(const JsonValue& object, Fields& out) {
  const std::optional<JsonValue> value = object.child("time");
  if (!value || value->kind() == JsonKind::null) return {Reason::missing_time, "no time"};
  if (value->kind() != JsonKind::string) return {Reason::bad_time, "time is no text"};
  std::string scratch;
  return parse_time(value->text(scratch), out.time_us);
}

Outcome read_heart_rate(const JsonValue& value, Fields& out) {
  if (value.kind() == JsonKind::null) return {Reason::no_measurement, "heart_rate is null"};
  if (value.kind() != JsonKind::number) return {Reason::not_a_number, "heart_rate is no number"};
  Decimal number;
  if (const Outcome parsed = parse_number(value.raw(), number); !parsed.ok()) return parsed;
  return to_heart_rate(number, out.heart_rate);
}

Outcome read_flags(const JsonValue& object, Fields& out) {
  const std::optional<JsonValue> value = object.child("flags");
  if (!value || value->kind() == JsonKind::null) return {};
  constexpr Outcome kWrong = {Reason::bad_json, "flags is no array of names"};
  if (value->kind() != JsonKind::array) return kWrong;
  std::string scratch;
  for (auto name = value->first_element(); name; name = name->next_element()) {
    if (name->kind() != JsonKind::string) return kWrong;
    out.flags = static_cast<std::uint16_t>(out.flags | flag_from_name(name->text(scratch)));
  }
  return {};
}

Outcome parse_strictly(std::string_view json, std::string_view default_id, Reading& reading) {
  JsonDocument document;
  if (const Outcome parsed = document.parse(json); !parsed.ok()) return parsed;
  const JsonValue object = document.root();
  if (object.kind() != JsonKind::object) return {Reason::not_an_object, "the document is no object"};
  if (document.has_duplicate_key()) return {Reason::duplicate_key, "an object has a key twice"};
  Fields fields;
  std::string scratch;
  if (const Outcome read = read_customer(object, default_id, scratch, fields); !read.ok()) return read;
  const std::optional<JsonValue> heart_rate = object.child("heart_rate");
  if (!heart_rate) return {Reason::missing_heart_rate, "no heart_rate"};
  if (const Outcome read = read_time(object, fields); !read.ok()) return read;
  if (const Outcome read = read_heart_rate(*heart_rate, fields); !read.ok()) return read;
  if (const Outcome read = read_flags(object, fields); !read.ok()) return read;
  // Last of all: whoever asks whether a line is whole takes this for an answer.
  if (fields.heart_rate == 0) return {Reason::zero_bpm, "a heart rate of 0"};
  store(fields, reading);
  return {};
}

// ---- writing

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// REQUIRES: check_customer_id was ok, so nothing but quotes and backslashes needs an escape.
char* put_id(char* out, std::string_view id) {
  for (const char c : id) {
    if (c == '"' || c == '\\') *out++ = '\\';
    *out++ = c;
  }
  return out;
}

char* put_flags(char* out, std::uint16_t flags) {
  char separator = '[';
  out = put(out, ",\"flags\":");
  for (std::size_t bit = 0; bit < kFlagNames.size(); ++bit) {
    if ((flags >> bit & 1u) == 0) continue;
    *out++ = separator;
    separator = ',';
    *out++ = '"';
    out = put(out, kFlagNames[bit]);
    *out++ = '"';
  }
  *out++ = ']';
  return out;
}

constexpr std::uint16_t kNamedFlags = (1u << kFlagNames.size()) - 1;

}  // namespace

const char* flag_name(std::uint16_t flag) noexcept {
  for (std::size_t bit = 0; bit < kFlagNames.size(); ++bit) {
    if (flag == 1u << bit) return kFlagNames[bit].data();
  }
  return nullptr;
}

std::uint16_t flag_from_name(std::string_view name) noexcept {
  for (std::size_t bit = 0; bit < kFlagNames.size(); ++bit) {
    if (name == kFlagNames[bit]) return static_cast<std::uint16_t>(1u << bit);
  }
  return 0;
}

Outcome parse_reading(std::string_view json, Reading& reading, std::string_view default_id) {
  Fields fields;
  if (FastReader(json).read(fields)) {
    store(fields, reading);
    return {};
  }
  return parse_strictly(json, default_id, reading);
}

Outcome check_storable(const Reading& reading) noexcept {
  const std::string_view id(reading.customer_id, strnlen(reading.customer_id, sizeof reading.customer_id));
  if (const Outcome checked = check_customer_id(id); !checked.ok()) return checked;
  if (reading.time_us < kMinTimeUs || reading.time_us > kMaxTimeUs) {
    return {Reason::time_implausible, "outside years 0000 to 9999"};
  }
  return {};
}

std::size_t format_reading(const Reading& reading, char* out) noexcept {
  if (!check_storable(reading).ok()) return 0;
  char* at = put(out, "{\"customer_id\":\"");
  at = put_id(at, customer_id(reading));
  at = put(at, "\",\"time\":\"");
  format_time(reading.time_us, at);
  at = put(at + kTimeTextSize, "\",\"heart_rate\":");
  at = std::to_chars(at, at + 11, reading.heart_rate).ptr;
  if ((reading.flags & kNamedFlags) != 0) at = put_flags(at, reading.flags);
  *at++ = '}';
  return static_cast<std::size_t>(at - out);
}

}  // namespace hb::codec
