#include <hbagent/testing.hpp>

#include "null_sink.hpp"
#include "support/catch.hpp"

using hb::testing::make_reading;

TEST_CASE("the null sink delivers everything and counts it") {
  hb::testing::TestHost host;
  NullSink sink({}, host.host());
  hb::testing::TestBatch batch({make_reading("a", 1, 60), make_reading("b", 2, 70)});

  sink.write(batch.sink_batch());
  sink.write(batch.sink_batch());
  sink.close();

  CHECK(sink.received() == 4);
  CHECK(host.gauges().at("received_readings") == 4);
  CHECK(host.gauges().at("heart_rate_sum_bpm") == 260);
  CHECK(batch.verdict(0).verdict == 0);
}
