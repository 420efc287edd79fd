// What devices really send, through the decoders and the validate processor, as a pipeline has them.
#include <hbagent/testing.hpp>
#include <hbcommon/decoder.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/topic.hpp>

#include <cmath>
#include <map>
#include <string>

#include "json_config.hpp"
#include "payload_case.hpp"
#include "support/catch.hpp"
#include "validate_processor.hpp"

namespace {

using namespace hb::codec;

struct Subscription : Mapping {
  static constexpr auto options = mapping_options<Subscription>();
};

std::int64_t time_of(const std::string& text) {
  std::int64_t time = 0;
  REQUIRE(parse_time(text, time).ok());
  return time;
}

std::string shown(const hb::Reading& reading) {
  std::string time(kTimeTextSize, '?');
  format_time(reading.time_us, time.data());
  return std::string(hb::customer_id(reading)) + ' ' + time + ' ' + std::to_string(reading.heart_rate);
}

std::string shown(const Expected& expected, std::int64_t received_us) {
  if (!expected.reason.empty()) return expected.reason;
  hb::Reading reading{};
  REQUIRE(hb::set_customer_id(reading, expected.customer_id));
  reading.time_us = expected.time ? time_of(*expected.time) : received_us;
  reading.heart_rate = static_cast<std::int32_t>(std::nearbyint(expected.heart_rate));  // half to even
  return shown(reading);
}

// The verdict of `validate` on a decoded reading.
std::string judged(const hb::Reading& reading) {
  static const hb::testing::TestHost host;
  ValidateProcessor validate({}, host.host());
  hb::testing::TestBatch batch({reading});
  const auto kept = batch.process(validate);
  return kept.empty() ? batch.verdict(0).reason : shown(kept.front());
}

std::vector<std::string> outcomes(const PayloadCase& given) {
  const auto id = TopicTemplate(given.topic_template).match(given.topic);
  if (!id) return {"topic_not_mapped"};
  Decoder decoder(JsonConfig::read<Subscription>(given.mapping), {.offered = CustomerFrom::topic});
  std::vector<Decoded> decoded;
  decoder.decode({given.payload, *id, time_of(given.received_at), given.retained}, decoded);
  std::vector<std::string> out;
  for (const Decoded& each : decoded) {
    out.push_back(each.outcome.ok() ? judged(each.reading) : text(each.outcome.reason));
  }
  return out;
}

}  // namespace

TEST_CASE("every payload case whose decoder ships gives the expected readings or reasons") {
  std::map<std::string, int> run, not_shipped;
  for (const PayloadCase& given : read_payload_cases(HBAGENT_TEST_DATA "/payloads.jsonl")) {
    if (given.decoder != "json" && given.decoder != "csv") {
      ++not_shipped[given.decoder];
      continue;
    }
    ++run[given.decoder];
    std::vector<std::string> expected;
    for (const Expected& each : given.expected) expected.push_back(shown(each, time_of(given.received_at)));
    INFO("case " << given.id);
    CHECK(outcomes(given) == expected);
  }
  CHECK(run == std::map<std::string, int>{{"json", 102}, {"csv", 3}});
  CHECK(not_shipped == std::map<std::string, int>{{"scalar", 7},
                                                  {"gatt_hrm", 20},
                                                  {"senml", 3},
                                                  {"ble_mfr", 4},
                                                  {"sparkplug_b", 3},
                                                  {"influx_line", 1},
                                                  {"ndjson", 1}});
}
