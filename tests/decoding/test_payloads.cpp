// What devices really send, through the decoders and the validate processor, as a pipeline has them.
#include <hbagent/testing.hpp>
#include <hbcommon/decoder.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/topic.hpp>

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "json_config.hpp"
#include "payload_case.hpp"
#include "support/catch.hpp"
#include "validate_processor.hpp"

namespace {

using namespace hb::codec;

const std::set<std::string> kShipped = {"json", "csv", "scalar", "gatt_hrm", "senml"};

struct Subscription : Mapping {
  static constexpr auto options = mapping_options<Subscription>();
};

// ESPHome publishes with the retain flag, and this one expects a reading; h-retained-scalar, alike in all else, expects
// a refusal. A broker clears the flag towards a client that is already subscribed (MQTT 3.1.1, [MQTT-3.3.1-9]): this
// one is such a delivery.
const std::string kRetainedByPublisher = "scalar-04";

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

std::vector<std::string> outcomes(const PayloadCase& given, bool retained) {
  const auto id = TopicTemplate(given.topic_template).match(given.topic);
  if (!id) return {"topic_not_mapped"};
  Decoder decoder(JsonConfig::read<Subscription>(given.mapping), {.offered = CustomerFrom::topic});
  std::vector<Decoded> decoded;
  decoder.decode({given.payload, *id, time_of(given.received_at), retained}, decoded);
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
    if (!kShipped.contains(given.decoder)) {
      ++not_shipped[given.decoder];
      continue;
    }
    ++run[given.decoder];
    std::vector<std::string> expected;
    for (const Expected& each : given.expected) expected.push_back(shown(each, time_of(given.received_at)));
    INFO("case " << given.id);
    const bool live = given.id == kRetainedByPublisher;
    CHECK(outcomes(given, given.retained && !live) == expected);
    if (live) CHECK(outcomes(given, true) == std::vector<std::string>{"retained_without_time"});
  }
  CHECK(run == std::map<std::string, int>{{"json", 102}, {"csv", 3}, {"scalar", 7}, {"gatt_hrm", 20}, {"senml", 3}});
  CHECK(not_shipped ==
        std::map<std::string, int>{{"ble_mfr", 4}, {"sparkplug_b", 3}, {"influx_line", 1}, {"ndjson", 1}});
}
