#include <hbcommon/time.hpp>

#include <functional>
#include <random>
#include <string>

#include "decoding.hpp"

using namespace hb::codec;

namespace {

Mapping json_mapping() {
  Mapping mapping;
  mapping.customer_id.pointer = "/id";
  mapping.heart_rate.pointer = "/hr";
  mapping.time.from = TimeFrom::receive;
  return mapping;
}

Mapping csv_mapping() {
  Mapping mapping;
  mapping.decoder = DecoderKind::csv;
  mapping.customer_id.header = "customer_id";
  mapping.time.header = "time";
  mapping.heart_rate.header = "heart_rate";
  return mapping;
}

}  // namespace

TEST_CASE("json: one bad element never costs its neighbours") {
  Mapping mapping = json_mapping();
  mapping.each = "";
  CHECK(decoded(mapping, R"([{"id":"a","hr":1},{"id":"b"},{"id":"","hr":2},{"id":"c","hr":"x"},7,null,)"
                         R"({"id":"d","hr":3,"hr":4},{"id":"e","hr":5}])") ==
        "a 1, missing_heart_rate, missing_customer_id, not_a_number, missing_customer_id, missing_customer_id, "
        "duplicate_key, e 5");
  CHECK(decoded(mapping, "[]") == "no_measurement");
  CHECK(decoded(mapping, "{}") == "missing_heart_rate");
  CHECK(decoded(mapping, R"([{"id":"a","hr":1},{"id":"b","hr":2])") == "bad_json");
}

TEST_CASE("json: a key twice around the elements makes all of them doubtful") {
  Mapping mapping = json_mapping();
  mapping.each = "/r";
  CHECK(decoded(mapping, R"({"r":[{"id":"a","hr":1}],"r":[{"id":"a","hr":2}]})") == "duplicate_key");
  CHECK(decoded(mapping, R"({"x":{"y":1,"y":2},"r":[{"id":"a","hr":1}]})") == "duplicate_key");
  CHECK(decoded(mapping, R"({"r":[{"id":"a","hr":1,"z":{"y":1,"y":2}},{"id":"b","hr":2}]})") == "duplicate_key, b 2");
}

TEST_CASE("json: the element's own bytes come with it") {
  Mapping mapping = json_mapping();
  mapping.each = "/r";
  Decoder decoder(mapping);
  const std::string payload = R"({"r": [ {"id":"a","hr":1} , {"id":7} ]})";
  std::vector<Decoded> all;
  decoder.decode({payload, "", kNow, false}, all);
  REQUIRE(all.size() == 2);
  CHECK(all[0].element == R"({"id":"a","hr":1})");
  CHECK(all[1].element == R"({"id":7})");
  CHECK(all[1].outcome.reason == Reason::missing_heart_rate);
  CHECK(hb::customer_id(all[1].reading) == "7");
  CHECK(decoder.context_of(all[1], {payload, "ctx", kNow, false}) == "ctx");

  const std::string text = R"({"r":["7"]})";
  decoder.decode({text, "", kNow, false}, all);
  CHECK(all[0].element == R"("7")");

  mapping.customer_id = {.pointer = "/who", .scope = Scope::root};
  Decoder around(mapping, {.offered = CustomerFrom::topic});
  const std::string named = R"({"who":"anna","r":[{"hr":"x"}]})";
  around.decode({named, "ctx", kNow, false}, all);
  CHECK(around.context_of(all[0], {named, "ctx", kNow, false}) == "anna");
}

TEST_CASE("json: guards tell what is no reading from what is weak") {
  Mapping mapping = json_mapping();
  mapping.guard = GuardMapping{"/q", std::nullopt, 50.0};
  CHECK(decoded(mapping, R"({"id":"a","hr":60,"q":50})") == "a 60");
  CHECK(decoded(mapping, R"({"id":"a","hr":60,"q":49.9})") == "low_confidence");
  CHECK(decoded(mapping, R"({"id":"a","hr":60})") == "guard_mismatch");
  CHECK(decoded(mapping, R"({"id":"a","hr":60,"q":"99"})") == "guard_mismatch");
  mapping.guard = GuardMapping{"/q", "on", std::nullopt};
  CHECK(decoded(mapping, R"({"id":"a","hr":60,"q":"\u006fn"})") == "a 60");
  CHECK(decoded(mapping, R"({"id":"a","hr":60,"q":"off"})") == "guard_mismatch");
  mapping.guard = GuardMapping{"/q", "true", std::nullopt};
  CHECK(decoded(mapping, R"({"id":"a","hr":60,"q":true})") == "a 60");
}

TEST_CASE("json: what the guard excludes is discarded, whatever else it lacks") {
  Mapping mapping = json_mapping();
  mapping.guard = GuardMapping{"/type", "BODY", std::nullopt};
  CHECK(decoded(mapping, R"({"id":"a","type":"BODY","hr":60})") == "a 60");
  CHECK(decoded(mapping, R"({"id":"a","type":"THB","tempc":21.5})") == "guard_mismatch");
  CHECK(decoded(mapping, R"({"type":"THB","tempc":21.5})") == "guard_mismatch");
  CHECK(decoded(mapping, R"({"type":"THB","hr":60})") == "guard_mismatch");
  CHECK(decoded(mapping, R"({"id":"a","type":null})") == "guard_mismatch");
  // What does not say that it is something else is looked at further.
  CHECK(decoded(mapping, R"({"id":"a","type":"BODY","steps":9101})") == "missing_heart_rate");
  CHECK(decoded(mapping, R"({"id":"a","tempc":21.5})") == "missing_heart_rate");
  CHECK(decoded(mapping, R"({"type":"BODY","hr":60})") == "missing_customer_id");
  CHECK(decoded(mapping, R"({"id":"a","type":"THB","type":"BODY","hr":60})") == "duplicate_key");
  mapping.guard = GuardMapping{"/q", std::nullopt, 50.0};
  CHECK(decoded(mapping, R"({"id":"a","q":10})") == "low_confidence");
}

TEST_CASE("json: the first pointer that leads to a value counts") {
  Mapping mapping = json_mapping();
  mapping.heart_rate.pointer.reset();
  mapping.heart_rate.pointers = {"/bpm", "/act"};
  CHECK(decoded(mapping, R"({"id":"a","bpm":60,"act":61})") == "a 60");
  CHECK(decoded(mapping, R"({"id":"a","act":61})") == "a 61");
  CHECK(decoded(mapping, R"({"id":"a","bpm":null,"act":61})") == "a 61");
  CHECK(decoded(mapping, R"({"id":"a","bpm":null})") == "no_measurement");
  CHECK(decoded(mapping, R"({"id":"a"})") == "missing_heart_rate");
}

TEST_CASE("elements without a time of their own are received one after the other") {
  Mapping mapping = json_mapping();
  mapping.each = "";
  std::vector<Decoded> all;
  Decoder(mapping).decode({R"([{"id":"a","hr":1},{"id":"a"},{"id":"a","hr":2}])", "", kNow, false}, all);
  REQUIRE(all.size() == 3);
  CHECK(all[0].reading.time_us == kNow);
  CHECK(all[2].reading.time_us == kNow + 2);

  mapping = csv_mapping();
  mapping.time = {};
  mapping.time.from = TimeFrom::receive;
  Decoder(mapping).decode({"customer_id,heart_rate\na,1\n\na,2\n", "", kNow, false}, all);
  REQUIRE(all.size() == 2);
  CHECK(all[0].reading.time_us == kNow);
  CHECK(all[1].reading.time_us == kNow + 1);
}

TEST_CASE("a retained value without its own time is no reading") {
  Decoder receive(json_mapping());
  CHECK(decoded(receive, R"({"id":"a","hr":60})", true) == "retained_without_time");
  Mapping mapping = json_mapping();
  mapping.time.from = TimeFrom::field;
  mapping.time.pointer = "/t";
  Decoder own(mapping);
  CHECK(decoded(own, R"({"id":"a","hr":60,"t":"2026-01-15T11:59:58Z"})", true) == "a 60");
}

TEST_CASE("payloads beyond the bound are refused, with their own fault where it comes first") {
  Decoder decoder(json_mapping(), {.max_payload = 100});
  const std::string good = R"({"id":"a","hr":60})";
  CHECK(decoded(decoder, good + std::string(100 - good.size(), ' ')) == "a 60");
  CHECK(decoded(decoder, good + std::string(101 - good.size(), ' ')) == "too_large");
  CHECK(decoded(decoder, std::string(101, '[')) == "bad_json");
  CHECK(decoded(decoder, std::string(101, '{')) == "bad_json");
  for (const std::string unit : {"\\u00e4", "\xc3\xbc", "true,", "12345,", "-1.5e+10,"}) {
    const bool text = unit[0] == '\\' || unit[0] == '\xc3';
    for (std::size_t shift = 0; shift < 9; ++shift) {
      std::string payload = text ? "{\"" : "[";
      payload += std::string(shift, text ? 'x' : ' ');
      while (payload.size() < 120) payload += unit;
      INFO(payload);
      CHECK(decoded(decoder, payload) == "too_large");
    }
  }
}

TEST_CASE("csv: columns by header, in each payload or given once") {
  Decoder decoder(csv_mapping());
  CHECK(decoder.needs_header());
  CHECK(decoded(decoder,
                "\xef\xbb\xbfheart_rate,x,time,customer_id\r\n72,?,2026-01-15T11:59:58Z,\"a,b\"\r\n"
                "73.5,?, 2026-01-15T11:59:58Z ,c\n") == "a,b 72, c 74");
  CHECK(decoded(decoder, "heart_rate,time\n72,2026-01-15T11:59:58Z\n") == "bad_csv");
  CHECK(decoded(decoder, "customer_id,heart_rate,time\n") == "no_measurement");
  CHECK(decoder.use_header("customer_id,heart_rate").reason == Reason::bad_csv);
  CHECK(decoder.use_header("customer_id,time,time,heart_rate").reason == Reason::bad_csv);
  REQUIRE(decoder.use_header("time,customer_id,heart_rate\n").ok());
  CHECK(decoded(decoder, "2026-01-15T11:59:58Z,a,72") == "a 72");
}

TEST_CASE("csv: one bad line never costs its neighbours") {
  Decoder decoder(csv_mapping());
  REQUIRE(decoder.use_header("time,customer_id,heart_rate").ok());
  CHECK(decoded(decoder,
                "2026-01-15T11:59:58Z,a,72\n2026-01-15T11:59:58Z,a\n\n2026-01-15T11:59:58Z,\"b,73\n"
                "then,c,74\n,c,74\n2026-01-15T11:59:58Z,c,\n2026-01-15T11:59:58Z,c,x\n"
                "2026-01-15T11:59:58Z,,1\n2026-01-15T11:59:58Z,d,75") ==
        "a 72, bad_csv, bad_csv, bad_time, missing_time, no_measurement, not_a_number, missing_customer_id, d 75");
}

TEST_CASE("csv: a failed line comes with the header that only its payload has") {
  Decoder decoder(csv_mapping());
  std::vector<Decoded> all;
  const std::string payload = "customer_id,time,heart_rate\na,2026-01-15T11:59:58Z,x\nb,2026-01-15T11:59:58Z,60\n";
  decoder.decode({payload, "", kNow, false}, all);
  REQUIRE(all.size() == 2);
  CHECK(all[0].element == "customer_id,time,heart_rate\na,2026-01-15T11:59:58Z,x");
  CHECK(all[1].element == "b,2026-01-15T11:59:58Z,60");
  REQUIRE(decoder.use_header("customer_id,time,heart_rate").ok());
  decoder.decode({"a,2026-01-15T11:59:58Z,x", "", kNow, false}, all);
  CHECK(all[0].element == "a,2026-01-15T11:59:58Z,x");
}

TEST_CASE("csv: what headers add to failed lines stays within four times the payload") {
  Decoder decoder(csv_mapping(), {.max_payload = 1 << 20});
  const std::string header = "customer_id,time,heart_rate," + std::string(400, 'x');
  constexpr std::size_t kLines = 200'000;
  std::string payload = header + '\n';
  for (std::size_t i = 0; i < kLines; ++i) payload += "x\n";
  std::vector<Decoded> all;
  decoder.decode({payload, "", kNow, false}, all);
  REQUIRE(all.size() == kLines);
  std::size_t bytes = 0;
  for (const Decoded& each : all) bytes += each.element.size();
  CHECK(bytes <= 5 * payload.size());
  CHECK(bytes > 4 * payload.size());
  CHECK(all.front().element == header + "\nx");
  CHECK(all.back().element == "x");
  CHECK(all.back().outcome.reason == Reason::bad_csv);
  // What is no dead letter takes nothing of the bound, and each payload has one of its own.
  const std::string discarded = header + "\na,2026-01-15T11:59:58Z,0,\n";
  decoder.decode({discarded, "", kNow, false}, all);
  CHECK(all.front().outcome.reason == Reason::zero_bpm);
  CHECK(all.front().element == "a,2026-01-15T11:59:58Z,0,");
  decoder.decode({payload, "", kNow, false}, all);
  CHECK(all.front().element == header + "\nx");
}

TEST_CASE("csv: columns by number fix how many there are") {
  Mapping mapping;
  mapping.decoder = DecoderKind::csv;
  mapping.customer_id.from = CustomerFrom::topic;
  mapping.time.column = 0;
  mapping.time.format = TimeFormat::epoch_s;
  mapping.heart_rate.column = 1;
  CHECK(decoded(mapping, "1622548800,75") == "ctx 75");
  CHECK(decoded(mapping, "1622548800,75,99") == "bad_csv");
  CHECK(decoded(mapping, "1622548800") == "bad_csv");
  CHECK(decoded(mapping, " \n ") == "empty");
}

TEST_CASE("a mapping that cannot work is refused when configured") {
  const auto refused = [](const std::function<void(Mapping&)>& change, Mapping mapping) {
    change(mapping);
    CHECK_THROWS_AS(Decoder(mapping, {.offered = CustomerFrom::topic}), hb::Failed);
  };
  CHECK_NOTHROW(Decoder(json_mapping()));
  refused([](Mapping& m) { m.customer_id.pointer.reset(); }, json_mapping());
  refused([](Mapping& m) { m.customer_id.pointer = "id"; }, json_mapping());
  refused([](Mapping& m) { m.customer_id.constant = "x"; }, json_mapping());
  refused([](Mapping& m) { m.customer_id.from = CustomerFrom::topic; }, json_mapping());
  refused([](Mapping& m) { m.customer_id = {.from = CustomerFrom::key}; }, json_mapping());
  refused([](Mapping& m) { m.customer_id = {.column = 1}; }, json_mapping());
  refused([](Mapping& m) { m.heart_rate.pointer.reset(); }, json_mapping());
  refused([](Mapping& m) { m.heart_rate.pointers = {"/x"}; }, json_mapping());
  refused([](Mapping& m) { m.heart_rate.column = 1; }, json_mapping());
  refused([](Mapping& m) { m.time.pointer = "/t"; }, json_mapping());
  refused([](Mapping& m) { m.time = {}; }, json_mapping());
  refused([](Mapping& m) { m.time = {.pointer = "/t", .naive_zone = "Mars/Olympus"}; }, json_mapping());
  refused([](Mapping& m) { m.time = {.pointer = "/t", .format = TimeFormat::strftime}; }, json_mapping());
  refused([](Mapping& m) { m.time = {.pointer = "/t", .pattern = "%F"}; }, json_mapping());
  refused([](Mapping& m) { m.guard = GuardMapping{"/g", std::nullopt, std::nullopt}; }, json_mapping());
  refused([](Mapping& m) { m.each = "r"; }, json_mapping());
  refused([](Mapping& m) { m.each = ""; }, csv_mapping());
  refused([](Mapping& m) { m.heart_rate.pointer = "/hr"; }, csv_mapping());
  refused([](Mapping& m) { m.heart_rate = {.column = 2}; }, csv_mapping());
  refused([](Mapping& m) { m.heart_rate = {}; }, csv_mapping());
}

TEST_CASE("random bytes and mutations never break a decoder") {
  Mapping each = json_mapping();
  each.each = "/m/*[n=hr]/d";
  each.time.from = TimeFrom::field;
  each.time.pointer = "/t";
  each.customer_id.scope = Scope::root;
  Decoder decoders[] = {Decoder(each), Decoder(csv_mapping())};
  const std::string seeds[] = {
      R"({"id":"a","m":[{"n":"hr","d":[{"t":"2026-01-15T11:59:58Z","hr":72},{"t":"\u0032","hr":6.5}]}]})",
      "customer_id,time,heart_rate\r\n\"a\"\"b\",2026-01-15T11:59:58.5+01:00,72.5\n\"c\",x,1\n"};
  std::mt19937_64 random(99);
  std::vector<Decoded> all;
  for (int round = 0; round < 100'000; ++round) {
    const std::size_t which = random() % 2;
    std::string payload = seeds[which];
    for (std::size_t changes = random() % 6; changes > 0; --changes) {
      const std::size_t at = random() % payload.size();
      if (random() % 2 == 0) {
        payload[at] = static_cast<char>(random());
      } else {
        payload.insert(at, payload.substr(random() % payload.size(), random() % 9));
      }
    }
    decoders[which].decode({payload, "", kNow, false}, all);
    REQUIRE(!all.empty());
    for (const Decoded& decoded : all) {
      if (!decoded.outcome.ok()) continue;
      const auto id = hb::customer_id(decoded.reading);
      if (id.empty() || decoded.reading.time_us < kMinTimeUs || decoded.reading.time_us > kMaxTimeUs) FAIL(payload);
    }
  }
}
