// Mappings that cannot work are refused with the key that is wrong.
#include <hbcommon/payload_format.hpp>

#include <functional>
#include <string>

#include "decoding.hpp"

using namespace hb::codec;

namespace {

// A mapping that works.
Mapping usual(DecoderKind kind) {
  Mapping mapping;
  mapping.decoder = kind;
  mapping.customer_id.from = CustomerFrom::topic;
  mapping.time.from = TimeFrom::receive;
  if (kind == DecoderKind::json) mapping.heart_rate.pointer = "/hr";
  if (kind == DecoderKind::csv) mapping.heart_rate.column = 0;
  if (kind == DecoderKind::senml) mapping.heart_rate.name = "hr";
  return mapping;
}

std::string refusal(const Mapping& mapping) {
  try {
    const Decoder decoder(mapping, {.offered = CustomerFrom::topic});
  } catch (const hb::Failed& failed) {
    return failed.what();
  }
  return "";
}

using Change = std::function<void(Mapping&)>;

}  // namespace

TEST_CASE("a key of another decoder is refused by its name") {
  struct Key {
    std::string name;
    std::vector<DecoderKind> decoders;
    Change give;
  };
  constexpr auto json = DecoderKind::json, csv = DecoderKind::csv, senml = DecoderKind::senml;
  const auto from_field = [](Mapping& m) { m.customer_id.from = CustomerFrom::field; };
  const auto own_time = [](Mapping& m) { m.time.from = TimeFrom::field; };
  const std::vector<Key> keys = {
      {"customer_id.pointer", {json}, [&](Mapping& m) { from_field(m), m.customer_id.pointer = "/id"; }},
      {"customer_id.column", {csv}, [&](Mapping& m) { from_field(m), m.customer_id.column = 1; }},
      {"customer_id.senml", {senml}, [&](Mapping& m) { from_field(m), m.customer_id.senml = SenmlName::bn; }},
      {"heart_rate.numeric_strings", {json, csv}, [](Mapping& m) { m.heart_rate.numeric_strings = true; }},
      {"heart_rate.units", {senml}, [](Mapping& m) { m.heart_rate.units = {"beat/min"}; }},
      {"time.pointer", {json}, [&](Mapping& m) { own_time(m), m.time.pointer = "/t"; }},
      {"time.column", {csv}, [&](Mapping& m) { own_time(m), m.time.column = 1; }},
      {"time.senml", {senml}, [&](Mapping& m) { own_time(m), m.time.senml = true; }},
      {"each", {json}, [](Mapping& m) { m.each = ""; }},
      {"guard",
       {json},
       [](Mapping& m) {
         m.guard = GuardMapping{"/q", "on", std::nullopt};
       }},
      {"input_encoding", {DecoderKind::gatt_hrm}, [](Mapping& m) { m.input_encoding = InputEncoding::hex; }},
  };
  for (const auto kind : {json, csv, DecoderKind::scalar, DecoderKind::gatt_hrm, senml}) {
    REQUIRE(refusal(usual(kind)).empty());
    for (const Key& key : keys) {
      Mapping mapping = usual(kind);
      key.give(mapping);
      INFO(key.name << " with decoder " << static_cast<int>(kind));
      const bool its = std::find(key.decoders.begin(), key.decoders.end(), kind) != key.decoders.end();
      const std::string refused = refusal(mapping);
      if (its) {
        CHECK(refused.empty());
      } else {
        CHECK(refused.starts_with(key.name + ": belongs to decoder \""));
      }
    }
  }
}

TEST_CASE("a mapping without a time or a customer says what its decoder could give") {
  const auto changed = [](DecoderKind kind, const Change& change) {
    Mapping mapping = usual(kind);
    change(mapping);
    return refusal(mapping);
  };
  const auto no_time = [](Mapping& m) { m.time = {}; };
  const auto no_customer = [](Mapping& m) { m.customer_id = {}; };
  CHECK(changed(DecoderKind::scalar, no_time) ==
        "time: decoder \"scalar\" has no time of its own: say time = \"receive\"");
  CHECK(changed(DecoderKind::senml, no_time) == "time: say where the time is: senml, or time = \"receive\"");
  CHECK(changed(DecoderKind::gatt_hrm, no_customer) == "customer_id: say where the id is: \"topic\", or a const");
  CHECK(changed(DecoderKind::json, no_customer) ==
        "customer_id: say where the id is: a pointer, \"topic\", or a const");
  CHECK(changed(DecoderKind::json, [](Mapping& m) {
          m.customer_id = {};
          m.customer_id.constant = "";
        }).starts_with("customer_id.const: is no customer id"));
  CHECK(changed(DecoderKind::senml, [](Mapping& m) { m.heart_rate = {}; }) ==
        "heart_rate: give the name or the units of the records that hold heart rates");
  CHECK(changed(DecoderKind::senml, [](Mapping& m) { m.customer_id.strip_suffix = ":"; }) ==
        "customer_id.strip_suffix: belongs to customer_id.senml");
  CHECK(changed(DecoderKind::json, [](Mapping& m) { m.customer_id.scope = Scope::root; }) ==
        "customer_id.scope: belongs to customer_id.pointer");
  CHECK(changed(DecoderKind::json, [](Mapping& m) { m.time.naive_zone = "UTC"; }) ==
        "time.naive_zone: belongs to a time.pointer, a column or a header");
  CHECK(changed(DecoderKind::json, [](Mapping& m) { m.heart_rate.pointers = {"/x"}; }) ==
        "heart_rate: pointer and pointers at once");
}

TEST_CASE("the wire format has no mapping, and every other format is the decoder of its name") {
  CHECK_FALSE(mapping_for(PayloadFormat::wire, {}));
  CHECK_THROWS_WITH(mapping_for(PayloadFormat::wire, usual(DecoderKind::json)),
                    "decoder: \"wire\" has no mapping; say how payloads are written (\"json\", ...), or leave the "
                    "mapping out");
  for (const auto& [format, kind] : {std::pair{PayloadFormat::json, DecoderKind::json},
                                     {PayloadFormat::csv, DecoderKind::csv},
                                     {PayloadFormat::scalar, DecoderKind::scalar},
                                     {PayloadFormat::gatt_hrm, DecoderKind::gatt_hrm},
                                     {PayloadFormat::senml, DecoderKind::senml}}) {
    Mapping mapping = usual(kind);
    mapping.decoder = DecoderKind::json;
    CHECK(mapping_for(format, mapping) == usual(kind));
  }
}
