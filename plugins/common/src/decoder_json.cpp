#include "decoder_json.hpp"

#include "mapping_check.hpp"

#include <charconv>
#include <stdexcept>

namespace hb::codec {
namespace {

JsonPointer pointer_of(const char* key, const std::string& text) {
  try {
    return JsonPointer(text);
  } catch (const std::invalid_argument& error) {
    mapping_error(std::string(key) + ": \"" + text + "\": " + error.what());
  }
}

std::vector<JsonPointer> heart_rate_pointers(const HeartRateMapping& mapping) {
  std::vector<JsonPointer> pointers;
  if (mapping.pointer) pointers.push_back(pointer_of("heart_rate.pointer", *mapping.pointer));
  for (const std::string& text : mapping.pointers) pointers.push_back(pointer_of("heart_rate.pointers", text));
  return pointers;
}

bool is_integer(std::string_view number) {
  return number.find_first_of(".eE") == std::string_view::npos;
}

}  // namespace

Decoder::JsonFormat::JsonFormat(const Mapping& mapping)
    : customer_from_(mapping.customer_id.from),
      constant_id_(mapping.customer_id.constant),
      customer_id_at_root_(mapping.customer_id.scope == Scope::root),
      heart_rate_(heart_rate_pointers(mapping.heart_rate)),
      numeric_strings_(mapping.heart_rate.numeric_strings),
      time_reader_(mapping.time) {
  const CustomerIdMapping& id = mapping.customer_id;
  if (id.pointer) customer_id_ = pointer_of("customer_id.pointer", *id.pointer);
  if (mapping.time.pointer) time_ = pointer_of("time.pointer", *mapping.time.pointer);
  if (mapping.each) {
    try {
      each_ = JsonPath(*mapping.each);
    } catch (const std::invalid_argument& error) {
      mapping_error("each: \"" + *mapping.each + "\": " + error.what());
    }
  }
  if (mapping.guard) {
    guard_ = Guard{pointer_of("guard.pointer", mapping.guard->pointer), mapping.guard->equals, mapping.guard->min};
  }
}

void Decoder::JsonFormat::decode(const Payload& payload, std::vector<Decoded>& out) {
  if (const Outcome parsed = document_.parse(payload.bytes); !parsed.ok()) return fail_whole(payload, parsed, out);
  const JsonValue root = document_.root();
  if (root.kind() != JsonKind::object && root.kind() != JsonKind::array) {
    return fail_whole(payload, {Reason::not_an_object, "the document is neither an object nor an array"}, out);
  }
  if (each_) return decode_each(payload, root, out);
  add(payload, root, root, out);
  out.back().element = payload.bytes;
}

void Decoder::JsonFormat::decode_element(const Payload& payload, std::vector<Decoded>& out) {
  if (!each_) return decode(payload, out);
  if (const Outcome parsed = document_.parse(payload.bytes); !parsed.ok()) return fail_whole(payload, parsed, out);
  add(payload, std::nullopt, document_.root(), out);
  out.back().element = payload.bytes;
}

Outcome Decoder::JsonFormat::check_beginning(std::string_view beginning) {
  return check_cut_json(document_, beginning);
}

void Decoder::JsonFormat::decode_each(const Payload& payload, JsonValue root, std::vector<Decoded>& out) {
  const std::size_t before = out.size();
  bool found = false;
  std::size_t within = 0;  // objects with a duplicate key that lie within elements
  each_->visit(root, [&](JsonValue array) {
    if (array.kind() != JsonKind::array) return;
    found = true;
    for (auto element = array.first_element(); element; element = element->next_element()) {
      within += element->duplicate_keys();
      add(payload, root, *element, out);
    }
  });
  // A doubled key around the elements makes all of them doubtful; one within an element only that one.
  const bool doubtful = root.duplicate_keys() > within;
  if (found && !doubtful) return;
  out.resize(before);
  fail_whole(payload,
             doubtful ? Outcome{Reason::duplicate_key, "an object around the readings has a key twice"}
                      : Outcome{Reason::missing_heart_rate, "each leads to no array"},
             out);
}

void Decoder::JsonFormat::add(const Payload& payload, std::optional<JsonValue> root, JsonValue element,
                              std::vector<Decoded>& out) {
  Decoded& decoded = add_element(payload, out);
  decoded.outcome = read(payload, root, element, decoded.reading);
  decoded.element = element.source();
}

// The order of the checks decides which reason is given where several hold: is it sound, is it something else, whose is
// it, is there a measurement at all, is it said to be one of ours, when was it, how much. So what the guard's value
// excludes is no dead letter, whatever else it lacks, and what has neither that value nor a heart rate is one.
Outcome Decoder::JsonFormat::read(const Payload& payload, std::optional<JsonValue> root, JsonValue element,
                                  Reading& reading) {
  if (element.duplicate_keys() > 0) return {Reason::duplicate_key, "an object has a key twice"};
  const std::optional<JsonValue> guarded = guard_ ? guard_->pointer.find(element) : std::nullopt;
  if (guarded) {
    if (const Outcome checked = check_guard(*guarded); !checked.ok()) return checked;
  }
  if (const Outcome read = read_customer_id(payload, root, element, reading); !read.ok()) return read;
  const std::optional<JsonValue> heart_rate = find_heart_rate(element);
  if (!heart_rate) return {Reason::missing_heart_rate, "heart_rate points to nothing"};
  if (guard_ && !guarded) return {Reason::guard_mismatch, "guard points to nothing"};
  if (const Outcome read = read_time(payload, element, reading); !read.ok()) return read;
  return read_heart_rate(*heart_rate, reading);
}

Outcome Decoder::JsonFormat::read_customer_id(const Payload& payload, std::optional<JsonValue> root, JsonValue element,
                                              Reading& reading) {
  if (customer_from_ != CustomerFrom::field) return take_customer_id(payload.context_id, reading);
  if (constant_id_) return take_customer_id(*constant_id_, reading);
  if (customer_id_at_root_ && !root) return take_customer_id(payload.context_id, reading);
  const std::optional<JsonValue> value = customer_id_->find(customer_id_at_root_ ? *root : element);
  if (!value || value->kind() == JsonKind::null) return {Reason::missing_customer_id, "customer_id points to nothing"};
  if (value->kind() == JsonKind::string) return take_customer_id(value->text(scratch_), reading);
  if (value->kind() == JsonKind::number && is_integer(value->raw())) return take_customer_id(value->raw(), reading);
  return {Reason::bad_customer_id, "neither text nor an integer"};
}

std::optional<JsonValue> Decoder::JsonFormat::find_heart_rate(JsonValue element) const {
  std::optional<JsonValue> null;
  for (const JsonPointer& pointer : heart_rate_) {
    const std::optional<JsonValue> value = pointer.find(element);
    if (value && value->kind() != JsonKind::null) return value;
    if (value) null = value;
  }
  return null;
}

Outcome Decoder::JsonFormat::read_heart_rate(JsonValue value, Reading& reading) {
  if (value.kind() == JsonKind::null) return {Reason::no_measurement, "the heart rate is null"};
  const bool text = value.kind() == JsonKind::string && numeric_strings_;
  if (value.kind() != JsonKind::number && !text) return {Reason::not_a_number, "the heart rate is no number"};
  return codec::read_heart_rate(text ? value.text(scratch_) : value.raw(), reading);
}

Outcome Decoder::JsonFormat::read_time(const Payload& payload, JsonValue element, Reading& reading) {
  if (!time_) return take_receive_time(payload, reading);
  const std::optional<JsonValue> value = time_->find(element);
  if (!value || value->kind() == JsonKind::null) return {Reason::missing_time, "time points to nothing"};
  if (value->kind() == JsonKind::number) return time_reader_.read(value->raw(), true, reading.time_us);
  if (value->kind() == JsonKind::string) return time_reader_.read(value->text(scratch_), false, reading.time_us);
  return {Reason::bad_time, "neither text nor a number"};
}

Outcome Decoder::JsonFormat::check_guard(JsonValue value) const {
  constexpr Outcome kMismatch = {Reason::guard_mismatch, "the guard does not match"};
  if (guard_->equals && !json_equals(value, *guard_->equals)) return kMismatch;
  if (!guard_->min) return {};
  if (value.kind() != JsonKind::number) return kMismatch;
  const std::string_view raw = value.raw();
  double number = 0;
  const auto read = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  if (read.ec != std::errc()) return kMismatch;
  return number < *guard_->min ? Outcome{Reason::low_confidence, "below the guard's min"} : Outcome{};
}

}  // namespace hb::codec
