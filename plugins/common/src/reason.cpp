#include "hbcommon/reason.hpp"

namespace hb::codec {

const char* text(Reason reason) noexcept {
  switch (reason) {
    case Reason::ok:
      return "ok";
    case Reason::bad_csv:
      return "bad_csv";
    case Reason::bad_customer_id:
      return "bad_customer_id";
    case Reason::bad_encoding:
      return "bad_encoding";
    case Reason::bad_json:
      return "bad_json";
    case Reason::bad_senml:
      return "bad_senml";
    case Reason::bad_time:
      return "bad_time";
    case Reason::bad_utf8:
      return "bad_utf8";
    case Reason::duplicate_key:
      return "duplicate_key";
    case Reason::empty:
      return "empty";
    case Reason::guard_mismatch:
      return "guard_mismatch";
    case Reason::low_confidence:
      return "low_confidence";
    case Reason::missing_customer_id:
      return "missing_customer_id";
    case Reason::missing_heart_rate:
      return "missing_heart_rate";
    case Reason::missing_time:
      return "missing_time";
    case Reason::no_contact:
      return "no_contact";
    case Reason::no_measurement:
      return "no_measurement";
    case Reason::not_a_number:
      return "not_a_number";
    case Reason::not_an_object:
      return "not_an_object";
    case Reason::out_of_range:
      return "out_of_range";
    case Reason::retained_without_time:
      return "retained_without_time";
    case Reason::time_future:
      return "time_future";
    case Reason::time_implausible:
      return "time_implausible";
    case Reason::too_large:
      return "too_large";
    case Reason::topic_not_mapped:
      return "topic_not_mapped";
    case Reason::truncated:
      return "truncated";
    case Reason::zero_bpm:
      return "zero_bpm";
  }
  return "unknown";
}

bool is_no_reading(Reason reason) noexcept {
  switch (reason) {
    case Reason::guard_mismatch:
    case Reason::low_confidence:
    case Reason::no_contact:
    case Reason::no_measurement:
    case Reason::retained_without_time:
    case Reason::zero_bpm:
      return true;
    default:
      return false;
  }
}

}  // namespace hb::codec
