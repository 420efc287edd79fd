#include "delivery.hpp"

#include <hbagent/testing.hpp>

#include "support/catch.hpp"

using hb::kafka::Deliveries;
using hb::kafka::Fate;
using hb::kafka::fate_of;
using hb::testing::make_reading;

TEST_CASE("an answer says whether to go on, to go again, to reject, to reopen or to stop") {
  CHECK(fate_of(RD_KAFKA_RESP_ERR_NO_ERROR) == Fate::delivered);
  CHECK(fate_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) == Fate::smaller);
  CHECK(fate_of(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) == Fate::reject);
  for (const auto code : {RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                          RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                          RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART}) {
    CHECK(fate_of(code) == Fate::reopen);
  }
  for (const auto code : {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_POLICY_VIOLATION}) {
    CHECK(fate_of(code) == Fate::failed);
  }
  for (const auto code : {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
                          RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                          RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION}) {
    CHECK(fate_of(code) == Fate::retry);
  }
}

TEST_CASE("a reading is unsent, in flight or settled, also over an extension") {
  Deliveries deliveries;
  deliveries.start(3);
  CHECK(deliveries.is_unsent(0));
  deliveries.sent(0);
  deliveries.sent(1);
  CHECK(deliveries.in_flight() == 2);
  CHECK_FALSE(deliveries.is_unsent(0));
  CHECK_FALSE(deliveries.is_settled(0));
  deliveries.report(0, RD_KAFKA_RESP_ERR_NO_ERROR);
  deliveries.report(1, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
  deliveries.settle(2, RD_KAFKA_RESP_ERR__BAD_MSG);
  deliveries.extend(4);
  CHECK(deliveries.in_flight() == 0);
  CHECK(deliveries.is_unsent(3));
  CHECK(deliveries.code(1) == RD_KAFKA_RESP_ERR__PURGE_QUEUE);
  CHECK_FALSE(deliveries.was_alone(1));
  deliveries.mark_alone(1);
  CHECK(deliveries.was_alone(1));
  CHECK(deliveries.code(1) == RD_KAFKA_RESP_ERR__PURGE_QUEUE);
  deliveries.unsettle(1);
  CHECK(deliveries.is_unsent(1));
}

TEST_CASE("a summary counts the fates and names the gravest answer") {
  Deliveries deliveries;
  deliveries.start(5);
  deliveries.settle(0, RD_KAFKA_RESP_ERR_NO_ERROR);
  deliveries.settle(1, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
  deliveries.settle(2, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  deliveries.settle(3, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  const auto summary = summarize(deliveries);
  CHECK(summary.of(Fate::delivered) == 1);
  CHECK(summary.of(Fate::retry) == 2);  // one was never sent
  CHECK(summary.of(Fate::reject) == 1);
  CHECK(summary.of(Fate::failed) == 1);
  CHECK(summary.gravest == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
}

TEST_CASE("readings are the same only when every byte is") {
  const std::vector<hb::Reading> left{make_reading("a", 1, 60), make_reading("b", 2, 61)};
  auto right = left;
  CHECK(hb::kafka::same_readings(left, right));
  right[1].received_us += 1;
  CHECK_FALSE(hb::kafka::same_readings(left, right));
  CHECK_FALSE(hb::kafka::same_readings(left, std::span(left).first(1)));
}
