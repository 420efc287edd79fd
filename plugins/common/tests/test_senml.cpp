// SenML packs, RFC 8428.
#include <hbcommon/decoder.hpp>
#include <hbcommon/time.hpp>

#include <string>

#include "decoding.hpp"
#include "support/catch.hpp"

using namespace hb::codec;

namespace {

Mapping senml_mapping() {
  Mapping mapping;
  mapping.decoder = DecoderKind::senml;
  mapping.customer_id.senml = SenmlName::bn;
  mapping.customer_id.strip_suffix = ":";
  mapping.time.senml = true;
  mapping.heart_rate.name = "hr";
  mapping.heart_rate.units = {"beat/min"};
  return mapping;
}

std::vector<Decoded> decode(const Mapping& mapping, std::string_view pack, bool retained = false) {
  static Decoder decoder(senml_mapping());  // its buffers outlive what is returned
  decoder = Decoder(mapping, {.offered = CustomerFrom::topic});
  std::vector<Decoded> all;
  decoder.decode({pack, "ctx", kNow, retained}, all);
  return all;
}

// "id rate +seconds after now" of each reading, or the reason.
std::string decoded(std::string_view pack, const Mapping& mapping = senml_mapping(), bool retained = false) {
  std::string out;
  for (const Decoded& each : decode(mapping, pack, retained)) {
    out += out.empty() ? "" : ", ";
    if (!each.outcome.ok()) {
      out += text(each.outcome.reason);
      continue;
    }
    out += hb::customer_id(each.reading);
    out += ' ' + std::to_string(each.reading.heart_rate) + ' ' + std::to_string(each.reading.time_us - kNow);
  }
  return out;
}

}  // namespace

TEST_CASE("senml: base fields hold for the records behind, until they are given again") {
  CHECK(decoded(R"([{"bn":"a:","bt":1768478400,"bu":"beat/min","n":"hr","v":60},{"n":"hr","t":1,"v":61},)"
                R"({"bn":"b:","bt":1768478410,"bver":10,"n":"hr","v":62},{"n":"hr","t":-0.5,"v":63},)"
                R"({"bn":"c:","n":"hr","v":64}])") ==
        "a 60 0, a 61 1000000, b 62 10000000, b 63 9500000, c 64 10000000");
  CHECK(decoded(R"([{"bn":"a:","bu":"beat/min","bv":60,"n":"hr","v":2.5},{"n":"hr","v":3.5},{"n":"hr"}])") ==
        "a 62 0, a 64 1, a 60 2");
  // A base field that stands alone.
  CHECK(decoded(R"([{"bn":"a:","bu":"beat/min"},{"n":"hr","v":60}])") == "a 60 0");
}

TEST_CASE("senml: times below 2^28 are relative to the receive time") {
  const auto at = [](const char* time) {
    return decoded(R"([{"bn":"a","n":"hr","u":"beat/min","v":60,"t":)" + std::string(time) + "}]");
  };
  CHECK(at("-30") == "a 60 -30000000");
  CHECK(at("0") == "a 60 0");
  CHECK(at("2.5") == "a 60 2500000");
  CHECK(at("268435455.999999") == "a 60 268435455999999");
  CHECK(at("268435456") == "a 60 " + std::to_string(268'435'456'000'000 - kNow));
  CHECK(at("1.7684784e9") == "a 60 0");
  CHECK(at("-1e30") == "time_implausible");
  CHECK(at("1e30") == "time_implausible");
  CHECK(at("-9e12") == "time_implausible");
  CHECK(at("\"1768478400\"") == "bad_time");
  CHECK(at("null") == "bad_time");
}

TEST_CASE("senml: a relative time of a retained pack is unknown") {
  const Mapping mapping = senml_mapping();
  CHECK(decoded(R"([{"bn":"a","bu":"beat/min","n":"hr","v":60},{"n":"hr","v":61,"t":-5},)"
                R"({"n":"hr","v":62,"t":1768478400}])",
                mapping, true) == "retained_without_time, retained_without_time, a 62 0");
}

TEST_CASE("senml: without a time, or with time = \"receive\", records are received one after the other") {
  const std::string pack = R"([{"bn":"a","bu":"beat/min","n":"hr","v":60},{"n":"x","v":1},{"n":"hr","v":61}])";
  CHECK(decoded(pack) == "a 60 0, a 61 1");
  Mapping mapping = senml_mapping();
  mapping.time = {};
  mapping.time.from = TimeFrom::receive;
  CHECK(decoded(pack, mapping) == "a 60 0, a 61 1");
  CHECK(decoded(R"([{"bn":"a","bu":"beat/min","bt":5,"n":"hr","v":60}])", mapping) == "a 60 0");
}

TEST_CASE("senml: only the records of the name and unit are heart rates") {
  CHECK(decoded(R"([{"bn":"a:","bu":"beat/min","n":"hr","v":60},{"n":"spo2","u":"%","vs":"x"},{"n":"hr","u":"Hz",)"
                R"("v":1},{"n":"hrv","v":3},{"v":4}])") == "a 60 0, guard_mismatch");
  CHECK(decoded(R"([{"bn":"a:","n":"hr","v":60}])") == "guard_mismatch");
  CHECK(decoded(R"([{"n":"hr","u":"ms","v":60}])") == "guard_mismatch");  // though nobody's
  CHECK(decoded(R"([{"n":"t","u":"Cel","v":36}])") == "no_measurement");
  CHECK(decoded("[]") == "no_measurement");

  Mapping by_unit = senml_mapping();
  by_unit.heart_rate.name.reset();
  CHECK(decoded(R"([{"bn":"a:","n":"x","u":"beat/min","v":60},{"n":"hr","u":"Hz","v":1}])", by_unit) == "a 60 0");
  Mapping by_name = senml_mapping();
  by_name.heart_rate.units.clear();
  CHECK(decoded(R"([{"bn":"a:","n":"h\u0072","v":60}])", by_name) == "a 60 0");
}

TEST_CASE("senml: the whole name is the base name with the record's own behind it") {
  Mapping mapping = senml_mapping();
  mapping.heart_rate.name = "dev:1:hr";
  mapping.customer_id.senml = SenmlName::name;
  mapping.customer_id.strip_suffix = ":hr";
  for (const char* names : {R"("bn":"dev:1:","n":"hr")", R"("n":"dev:1:hr")", R"("bn":"dev:1:hr")"}) {
    CHECK(decoded("[{" + std::string(names) + R"(,"u":"beat/min","v":60}])", mapping) == "dev:1 60 0");
  }
  CHECK(decoded(R"([{"bn":"dev:2:","n":"hr","u":"beat/min","v":60}])", mapping) == "no_measurement");
}

TEST_CASE("senml: the customer from the topic or a constant") {
  Mapping mapping = senml_mapping();
  mapping.customer_id = {.from = CustomerFrom::topic};
  CHECK(decoded(R"([{"bn":"a:","n":"hr","u":"beat/min","v":60}])", mapping) == "ctx 60 0");
  mapping.customer_id = {.constant = "strap-7"};
  CHECK(decoded(R"([{"n":"hr","u":"beat/min","v":60}])", mapping) == "strap-7 60 0");
  CHECK(decoded(R"([{"n":"hr","u":"beat/min","v":60}])") == "missing_customer_id");
}

TEST_CASE("senml: only v is a number, and one bad record never costs its neighbours") {
  CHECK(decoded(R"([{"bn":"a","bu":"beat/min","n":"hr","v":60},{"n":"hr","vs":"61"},{"n":"hr","vb":true},)"
                R"({"n":"hr","vd":"AA"},{"n":"hr","s":7},{"n":"hr","v":"62"},{"n":"hr","v":null},{"n":"hr"},7,)"
                R"({"n":7,"v":1},{"n":"hr","u":null,"v":1},{"n":"hr","v":1,"v":2},{"n":"hr","v":1e20},)"
                R"({"n":"hr","v":63}])") ==
        "a 60 0, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number, "
        "missing_heart_rate, bad_senml, bad_senml, bad_senml, duplicate_key, out_of_range, a 63 13");
}

TEST_CASE("senml: what makes every record doubtful costs the whole pack") {
  const auto pack = [](const std::string& second) {
    return decoded(R"([{"bn":"a","bu":"beat/min","n":"hr","v":60},)" + second + R"(,{"n":"hr","v":61}])");
  };
  CHECK(pack(R"({"n":"x","v":1,"unknown":1})") == "a 60 0, a 61 1");
  CHECK(pack(R"({"n":"x","v":1,"unknown_":1})") == "bad_senml");
  CHECK(pack(R"({"n":"x","v":1,"unknown\u005f":1})") == "bad_senml");
  CHECK(pack(R"({"bver":10,"n":"x","v":1})") == "a 60 0, a 61 1");
  CHECK(pack(R"({"bver":11,"n":"x","v":1})") == "bad_senml");
  CHECK(pack(R"({"bver":0,"n":"x","v":1})") == "bad_senml");
  CHECK(pack(R"({"bver":"10","n":"x","v":1})") == "bad_senml");
  CHECK(pack(R"({"bt":"1","n":"x","v":1})") == "bad_senml");
  CHECK(pack(R"({"bv":null,"n":"x","v":1})") == "bad_senml");
  CHECK(pack(R"({"bn":7,"n":"x","v":1})") == "bad_senml");
  CHECK(pack(R"({"bn":"b","bn":"c","n":"x","v":1})") == "duplicate_key");
  CHECK(pack(R"({"bn":")" + std::string(200, 'x') + R"("})") == "bad_senml");
  CHECK(decoded(R"({"n":"hr","v":60})") == "bad_senml");
  CHECK(decoded("7") == "bad_senml");
  CHECK(decoded("[{}") == "bad_json");
  CHECK(decoded(" ") == "empty");
}

TEST_CASE("senml: a failed record is handed out as a pack that says the same") {
  const std::string pack = R"([{"bn":"a\u003a","bt":1768478400,"bu":"beat/min","bv":1,"n":"hr","v":60},)"
                           R"({"n":"hr","t":5,"v":"61"},{"bt":1768478500,"n":"hr","vs":"x"},8,{},"hr:"])";
  Mapping mapping = senml_mapping();
  mapping.heart_rate.name.reset();
  const std::vector<Decoded> all = decode(mapping, pack);
  REQUIRE(all.size() == 6);
  CHECK(all[0].element == R"({"bn":"a\u003a","bt":1768478400,"bu":"beat/min","bv":1,"n":"hr","v":60})");
  CHECK(all[1].element == R"([{"bn":"a\u003a","bt":1768478400,"bu":"beat/min","bv":1,"n":"hr","t":5,"v":"61"}])");
  CHECK(all[2].element == R"([{"bn":"a\u003a","bu":"beat/min","bv":1,"bt":1768478500,"n":"hr","vs":"x"}])");
  CHECK(all[3].element == "[8]");
  CHECK(all[4].outcome.ok());  // the base value alone

  CHECK(all[5].element == R"(["hr:"])");

  std::string mended(all[1].element);
  mended.replace(mended.find("\"61\""), 4, "61");
  CHECK(decoded(mended) == "a 62 5000000");
}

TEST_CASE("senml: what base fields add to failed records stays within four times the pack") {
  constexpr std::size_t kRecords = 100'000;
  std::string pack = R"([{"bn":"hr","bt":1768478400,"bu":")" + std::string(120, 'u') + R"(","n":"","v":"x"})";
  for (std::size_t i = 1; i < kRecords; ++i) pack += ",{}";
  pack += ']';
  Mapping mapping = senml_mapping();
  mapping.heart_rate.units.clear();
  Decoder decoder(mapping, {.max_payload = 1 << 20});
  std::vector<Decoded> all;
  decoder.decode({pack, "", kNow, false}, all);
  REQUIRE(all.size() == kRecords);
  std::size_t bytes = 0;
  for (const Decoded& each : all) bytes += each.element.size();
  CHECK(bytes <= 6 * pack.size());  // and the brackets
  CHECK(bytes > 4 * pack.size());
  CHECK(all[1].element.starts_with(R"([{"bn":"hr","bt":1768478400,"bu":"uuu)"));
  // Without its base fields a record would be another one's: it is no pack any more, and never a reading.
  CHECK(all.back().element == "{}");
  CHECK(all.back().outcome.reason == Reason::missing_heart_rate);
  CHECK(decoded(all.back().element) == "bad_senml");
}
