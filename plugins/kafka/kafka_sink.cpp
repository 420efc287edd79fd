#include "kafka_sink.hpp"

#include <hbcommon/wire.hpp>

#include <algorithm>
#include <array>
#include <charconv>

#include "topic.hpp"

namespace hb::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 5s;
// After a stop was asked for, the brokers get this long to confirm what is under way.
constexpr auto kStopGrace = 2s;
// How often a waiting write looks at the clock and at the agent.
constexpr auto kSlice = 100ms;
constexpr std::size_t kPollEvery = 1024;
// What the sink says of a reading that it cannot format; no broker gives this code.
constexpr auto kUnstorable = RD_KAFKA_RESP_ERR__BAD_MSG;

constexpr std::array kGuards = {
    Guard{"enable.idempotence", "true", "without it a retry can store readings twice or out of order"},
    Guard{"acks", "all|-1", "a reading is delivered only when every in-sync replica has it"},
    Guard{"request.required.acks", "all|-1", "a reading is delivered only when every in-sync replica has it"},
    Guard{"max.in.flight", "1", "with more, librdkafka can take a batch that was refused for delivered"},
    Guard{"max.in.flight.requests.per.connection", "1",
          "with more, librdkafka can take a batch that was refused for delivered"},
    Guard{"message.timeout.ms", "0", "readings wait as long as an outage lasts; write_timeout bounds a write"},
    Guard{"delivery.timeout.ms", "0", "readings wait as long as an outage lasts; write_timeout bounds a write"},
    Guard{"delivery.report.only.error", "false", "every delivery is counted"},
    Guard{"transactional.id", nullptr, "the sink does not use transactions"},
};

Properties sink_properties(const KafkaSink::Config& config) {
  Properties properties;
  properties.set_connection(config);
  properties.set("enable.idempotence", "true");
  properties.set("acks", "all");
  // One request at a time. With more of them librdkafka takes a batch that the brokers refused, as new leaders do, for
  // stored when the next one of its partition succeeds ("implicitly acked"): readings are lost. And after a restart a
  // broker knows again only the last batch of each producer: those before it may be stored twice.
  properties.set("max.in.flight", "1");
  // librdkafka itself never gives a message up, so none is sent again under a new sequence number.
  properties.set("message.timeout.ms", "0");
  properties.set("partitioner", "murmur2_random");  // as Java clients do
  properties.set("compression.codec", config.compression);
  properties.set("linger.ms", std::to_string(config.linger.count()));
  // Room for the largest sensible batch; a larger one is sent in turns.
  properties.set("queue.buffering.max.messages", "100000");
  properties.set("queue.buffering.max.kbytes", "32768");
  properties.pass_through(config.rdkafka, kGuards);
  properties.check(RD_KAFKA_PRODUCER);
  return properties;
}

int integer_property(const rd_kafka_conf_t* conf, const char* name) {
  std::array<char, 32> text{};
  std::size_t size = text.size();
  int value = 0;
  if (rd_kafka_conf_get(conf, name, text.data(), &size) == RD_KAFKA_CONF_OK) {
    std::from_chars(text.data(), text.data() + size, value);
  }
  return value;
}

}  // namespace

KafkaSink::KafkaSink(const Config& config, hb::Host host)
    : config_(config),
      host_(host),
      properties_(sink_properties(config)),
      events_(host, this),
      batch_messages_(integer_property(properties_.get(), "batch.num.messages")) {}

void KafkaSink::open() {
  events_.reset();
  deliveries_.start(0);
  put_off_.clear();
  stopping_since_.reset();
  properties_.set("batch.num.messages", std::to_string(batch_messages_));
  batch_shrunk_ = false;
  client_ = make_client(RD_KAFKA_PRODUCER, properties_.get(), [this](rd_kafka_conf_t* conf) {
    events_.attach(conf);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  });
  require_broker(client_.get(), events_, config_.brokers, kConnectTimeout);
  ensure_topic(client_.get(), host_,
               {config_.topic, config_.create_topic, config_.partitions, config_.replication_factor.value_or(-1)},
               kConnectTimeout);
  topic_.reset(rd_kafka_topic_new(client_.get(), config_.topic.c_str(), nullptr));
  if (!topic_) throw Failed("topic " + config_.topic + ": " + error_text(rd_kafka_last_error()));
}

void KafkaSink::close() {
  if (client_) give_up_in_flight(1s);
  put_off_.clear();
  topic_.reset();
  client_.reset();
}

void KafkaSink::write(hb::Batch batch) {
  if (batch_shrunk_) throw Reopen("a producer with smaller batches is needed");
  const auto deadline = Clock::now() + config_.write_timeout;
  take_up(batch.readings());
  send_unsent(batch.readings(), deadline);
  await(batch.readings(), deadline);
  isolate_suspects(batch.readings(), deadline);
  put_off_.clear();
  answer(batch);
}

// Goes on with a write that was put off, where this is the same batch; what is in flight is not sent again.
void KafkaSink::take_up(std::span<const Reading> readings) {
  stopping_since_.reset();
  const bool same = !put_off_.empty() && readings.size() >= put_off_.size() &&
                    same_readings(readings.first(put_off_.size()), put_off_);
  if (!same) {
    if (deliveries_.in_flight() != 0) {
      host_.warn("the batch under way was changed: " + std::to_string(deliveries_.in_flight()) +
                 " readings without confirmation may be stored twice");
      give_up_in_flight(config_.write_timeout);
      if (deliveries_.in_flight() != 0) throw Reopen("the producer does not let go of its readings");
    }
    return deliveries_.start(readings.size());
  }
  deliveries_.extend(readings.size());
  for (std::size_t i = 0; i < put_off_.size(); ++i) {
    if (deliveries_.is_settled(i) && fate_of(deliveries_.code(i)) == Fate::retry) deliveries_.unsettle(i);
  }
}

void KafkaSink::send_unsent(std::span<const Reading> readings, Clock::time_point deadline) {
  for (std::size_t i = 0; i < readings.size(); ++i) {
    if (deliveries_.is_unsent(i)) send(readings, i, deadline);
    if (i % kPollEvery == 0) rd_kafka_poll(client_.get(), 0);
  }
}

void KafkaSink::send(std::span<const Reading> readings, std::size_t index, Clock::time_point deadline) {
  const Reading& reading = readings[index];
  std::array<char, codec::kReadingJsonCapacity> json;
  const std::size_t size = codec::format_reading(reading, json.data());
  if (size == 0) return deliveries_.settle(index, kUnstorable);
  const auto id = hb::customer_id(reading);
  // 0 would mean "now" to librdkafka, and so does a time before the epoch, which brokers refuse.
  const std::int64_t timestamp_ms = std::max<std::int64_t>(reading.received_us / 1000, 0);
  for (;;) {
    const auto code =
        rd_kafka_producev(client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(json.data(), size),
                          RD_KAFKA_V_KEY(id.data(), id.size()), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
                          // NOLINTNEXTLINE(performance-no-int-to-ptr): the opaque is the reading's position
                          RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(index)), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return deliveries_.sent(index);
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return deliveries_.settle(index, code);
    rd_kafka_poll(client_.get(), static_cast<int>(kSlice.count()));
    if (is_over(deadline)) put_off(readings);
  }
}

// Returns when nothing is in flight.
void KafkaSink::await(std::span<const Reading> readings, Clock::time_point deadline) {
  while (deliveries_.in_flight() != 0) {
    rd_kafka_flush(client_.get(), static_cast<int>(kSlice.count()));
    if (deliveries_.in_flight() == 0) break;
    if (rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      give_up_in_flight(config_.write_timeout);
      if (deliveries_.in_flight() != 0) throw Reopen("the producer failed and does not let go of its readings");
    }
    if (is_over(deadline)) put_off(readings);
  }
}

// A broker refuses a whole batch for one bad record: each that travelled in it gets a batch of its own.
void KafkaSink::isolate_suspects(std::span<const Reading> readings, Clock::time_point deadline) {
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto code = deliveries_.code(i);
    if (fate_of(code) != Fate::reject || code == kUnstorable || deliveries_.was_alone(i)) continue;
    if (readings.size() > 1) {
      deliveries_.unsettle(i);
      send(readings, i, deadline);
      await(readings, deadline);
    }
    deliveries_.mark_alone(i);
  }
}

void KafkaSink::answer(const hb::Batch& batch) {
  const Summary summary = summarize(deliveries_);
  if (summary.of(Fate::delivered) != 0) events_.up();
  if (summary.of(Fate::delivered) == batch.size()) return;
  const std::string why = error_text(summary.gravest);
  if (summary.of(Fate::delivered) + summary.of(Fate::reject) + summary.of(Fate::smaller) == 0) {
    if (summary.of(Fate::failed) != 0) throw Failed("topic " + config_.topic + ": " + why);
    if (summary.of(Fate::reopen) != 0) throw Reopen("the producer cannot go on: " + why);
    throw Retry("topic " + config_.topic + ": " + why);
  }
  for (std::size_t i = 0; i < batch.size(); ++i) answer_one(batch, i);
  if (summary.of(Fate::smaller) != 0 && batch_messages_ > 1) use_smaller_batches();
  const std::size_t again = summary.of(Fate::retry) + summary.of(Fate::reopen) + summary.of(Fate::failed);
  if (again != 0) {
    host_.warn(std::to_string(again) + " of " + std::to_string(batch.size()) + " readings go again: " + why);
  }
}

void KafkaSink::answer_one(const hb::Batch& batch, std::size_t index) {
  const auto code = deliveries_.code(index);
  switch (fate_of(code)) {
    case Fate::delivered:
      return;
    case Fate::reject:
      if (code == kUnstorable) {
        const auto outcome = codec::check_storable(batch[index]);
        return batch.reject(index, codec::text(outcome.reason), outcome.detail);
      }
      return batch.reject(index, "refused_by_broker", rd_kafka_err2str(code));
    case Fate::smaller:
      if (batch_messages_ == 1) return batch.reject(index, "too_large", rd_kafka_err2str(code));
      return batch.retry(index);
    case Fate::retry:
    case Fate::reopen:
    case Fate::failed:
      return batch.retry(index);
  }
}

void KafkaSink::use_smaller_batches() {
  batch_messages_ = std::max(batch_messages_ / 4, 1);
  batch_shrunk_ = true;
  host_.warn("topic " + config_.topic + " refuses batches of this size (max.message.bytes); going on with " +
             std::to_string(batch_messages_) + " readings at most in one");
}

// Takes back what is queued or under way; every reading gets its report. Bounded by `limit`.
void KafkaSink::give_up_in_flight(std::chrono::milliseconds limit) {
  if (deliveries_.in_flight() == 0) return;
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  const auto deadline = Clock::now() + limit;
  while (deliveries_.in_flight() != 0 && Clock::now() < deadline) {
    rd_kafka_poll(client_.get(), static_cast<int>(kSlice.count()));
  }
}

bool KafkaSink::is_over(Clock::time_point deadline) {
  const auto now = Clock::now();
  if (host_.stopping() && !stopping_since_) stopping_since_ = now;
  return now >= deadline || (stopping_since_ && now >= *stopping_since_ + kStopGrace);
}

void KafkaSink::put_off(std::span<const Reading> readings) {
  put_off_.assign(readings.begin(), readings.end());
  std::string why = "the brokers have not confirmed " + std::to_string(deliveries_.in_flight()) + " of " +
                    std::to_string(readings.size()) + " readings";
  if (!events_.refusal().empty()) why += ": " + events_.refusal();
  events_.down(why);
  throw Retry(why);
}

void KafkaSink::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) noexcept {
  ClientEvents::owner<KafkaSink>(opaque).deliveries_.report(reinterpret_cast<std::size_t>(message->_private),
                                                            message->err);
}

}  // namespace hb::kafka
