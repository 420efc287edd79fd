// What the decoders share: one class for each payload format, behind Decoder.
#pragma once

#include "hbcommon/customer_id.hpp"
#include "hbcommon/decoder.hpp"
#include "hbcommon/json.hpp"
#include "hbcommon/number.hpp"
#include "hbcommon/time_format.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hb::codec {

class Decoder::Format {
 public:
  virtual ~Format() = default;
  Format() = default;
  Format(const Format&) = delete;
  Format& operator=(const Format&) = delete;

  // Appends to `out`. REQUIRES: the payload is not too large.
  virtual void decode(const Payload& payload, std::vector<Decoded>& out) = 0;
  virtual void decode_element(const Payload& payload, std::vector<Decoded>& out) { decode(payload, out); }
  // What to say of a payload of which only `beginning` may be looked at. ok: nothing but that it is too large.
  virtual Outcome check_beginning(std::string_view) { return {}; }
  virtual bool needs_header() const { return false; }
  virtual Outcome use_header(std::string_view) { return {}; }
  // Called before each payload.
  void begin(const Payload& payload) {
    elements_.clear();
    prefix_left_ = kMaxPrefixes * payload.bytes.size();
  }

 protected:
  // Whether anybody will want to decode the element alone.
  static bool is_dead_letter(const Outcome& outcome) { return !outcome.ok() && !is_no_reading(outcome.reason); }
  // The bytes of an element that are not in the payload like this; kept until begin.
  std::string_view keep_element(std::string bytes) { return elements_.emplace_back(std::move(bytes)); }
  // Whether `size` bytes of what stands before the elements may be put before one more that failed. They count.
  bool take_prefix(std::size_t size) {
    if (size > kMaxPrefix || size > prefix_left_) return false;
    prefix_left_ -= size;
    return true;
  }

 private:
  // A payload of 1 MiB may hold half a million elements that fail, and each comes with what stands before them all. One
  // prefix has at most this many bytes, and all of a payload at most this many times its own bytes.
  static constexpr std::size_t kMaxPrefix = 1024, kMaxPrefixes = 4;

  std::deque<std::string> elements_;
  std::size_t prefix_left_ = 0;
};

// The customer of every element, from outside the payload or a constant.
class FixedCustomer {
 public:
  explicit FixedCustomer(const CustomerIdMapping& mapping) : constant_(mapping.constant) {}
  std::string_view id(const Payload& payload) const;

 private:
  std::optional<std::string> constant_;
};

// What is wrong with JSON of which there is only the beginning. ok: nothing but that it is cut.
Outcome check_cut_json(JsonDocument& document, std::string_view beginning);

constexpr const char* kWhiteSpace = " \t\r\n";

// Without the blanks around it: they mean nothing to a number or a time.
std::string_view trimmed(std::string_view text, const char* blanks = " \t");
// Without a leading byte order mark.
std::string_view without_mark(std::string_view bytes);

// The heart rate that was read; zero_bpm for 0, which a sensor writes where it has none.
Outcome take_heart_rate(const Decimal& value, Reading& reading);
// The whole of `text`, one JSON number, as heart rate.
Outcome read_heart_rate(std::string_view text, Reading& reading);

// Appends an element, with the time at which it was received.
Decoded& add_element(const Payload& payload, std::vector<Decoded>& out);

// Appends the failure of a whole payload.
void fail_whole(const Payload& payload, Outcome outcome, std::vector<Decoded>& out);

// The id from outside the payload, or a constant: checked, and stored in `reading`.
Outcome take_customer_id(std::string_view id, Reading& reading);

// The time with `time = "receive"`, from the reading's received_us.
Outcome take_receive_time(const Payload& payload, Reading& reading);

}  // namespace hb::codec
