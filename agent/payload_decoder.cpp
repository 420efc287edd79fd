#include "payload_decoder.hpp"

#include <fmt/format.h>

#include <new>

namespace hbagent {
namespace {

bool sound_id(const hb_reading& reading) {
  return reading.customer_id[0] != '\0' && reading.customer_id[HB_CUSTOMER_ID_CAPACITY - 1] == '\0';
}

// What a call of the plugin hands out.
class Parts {
 public:
  Parts(std::string_view payload, std::vector<DecodedPart>& parts) : payload_(payload), parts_(parts) {
    raw_.size = sizeof raw_;
    raw_.context = this;
    raw_.reading = [](void* self, const hb_reading* reading) {
      if (reading != nullptr) static_cast<Parts*>(self)->add(*reading);
    };
    raw_.refuse = [](void* self, std::int32_t verdict, const char* reason, const char* detail, const void* bytes,
                     std::uint64_t size) {
      static_cast<Parts*>(self)->refuse(verdict, reason, detail,
                                        {static_cast<const char*>(bytes), bytes == nullptr ? 0 : size});
    };
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  const hb_decode_output& raw() const { return raw_; }
  const std::string& fault() const { return fault_; }

 private:
  // Nothing that is thrown here may pass through the plugin.
  void refuse(std::int32_t verdict, const char* reason, const char* detail, std::string_view bytes) noexcept try {
    if (verdict != HB_VERDICT_REJECT && verdict != HB_VERDICT_DISCARD) {
      fault_ = fmt::format("decode gave verdict {}, which is not for a part of a payload", verdict);
      return;
    }
    parts_.push_back({verdict, {}, clean_reason(reason), detail == nullptr ? "" : detail, std::string(bytes)});
  } catch (const std::exception& failure) {
    note(failure);
  }
  void add(const hb_reading& reading) noexcept try {
    if (sound_id(reading)) {
      parts_.push_back({0, reading, {}, {}, {}});
    } else {
      parts_.push_back({HB_VERDICT_REJECT,
                        {},
                        "bad_customer_id",
                        "the customer id is empty or not terminated",
                        std::string(payload_)});
    }
  } catch (const std::exception& failure) {
    note(failure);
  }
  void note(const std::exception& failure) noexcept {
    try {
      fault_ = failure.what();
    } catch (const std::bad_alloc&) {
      fault_ = "?";  // needs no memory
    }
  }

  const std::string_view payload_;
  std::vector<DecodedPart>& parts_;
  hb_decode_output raw_{};
  std::string fault_;
};

}  // namespace

bool PayloadDecoder::create(std::string& error) {
  if (!instance_.create(error)) return false;
  decoder_ = instance_.decoder();
  if (decoder_.decode != nullptr) return true;
  error = fmt::format("the plugin \"{}\" cannot decode a payload that does not come from its far side",
                      instance_.config().plugin->name);
  return false;
}

std::int32_t PayloadDecoder::decode(const PayloadInput& input, std::vector<DecodedPart>& parts, std::string& error) {
  hb_decode_input raw{};
  raw.size = sizeof raw;
  raw.retained = input.retained ? 1 : 0;
  raw.payload = input.payload.data();
  raw.payload_size = input.payload.size();
  raw.key = input.key ? input.key->data() : nullptr;
  raw.key_size = input.key ? input.key->size() : 0;
  raw.origin = input.origin.empty() ? nullptr : input.origin.c_str();
  raw.topic = input.topic.empty() ? nullptr : input.topic.c_str();
  raw.received_us = input.received_us;
  parts.clear();
  Parts taker(input.payload, parts);
  const std::int32_t status = instance_.decode(decoder_, raw, taker.raw(), error);
  if (status == HB_OK && !taker.fault().empty()) {
    error = taker.fault();
    return HB_FAILED;
  }
  return status == HB_END ? HB_FAILED : status;
}

}  // namespace hbagent
