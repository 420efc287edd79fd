#include "kafka_source.hpp"

#include <hbcommon/decode_output.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace hb::kafka {
namespace {

using namespace std::chrono_literals;

// Records in one emit at most. Few enough to be prompt, many enough that a batch costs nothing.
constexpr std::size_t kBatch = 4096;
// Records in one emit may hold many readings each: fewer are taken at once, so that a batch stays near its size.
constexpr std::size_t kMappedRecords = 16;
// How long nothing may be looked at while nothing happens.
constexpr auto kSlice = 100ms;
constexpr auto kGaugeInterval = 1s;

constexpr std::array kGuards = {
    Guard{"group.id", nullptr, "use the option group_id"},
    Guard{"group.instance.id", nullptr, "use the option group_instance_id"},
    Guard{"auto.offset.reset", nullptr, "use the option start"},
    Guard{"enable.partition.eof", nullptr, "use the option exit_at_end"},
    Guard{"enable.auto.commit", "false", "offsets are committed only behind readings that are safe"},
    Guard{"auto.commit.enable", "false", "offsets are committed only behind readings that are safe"},
    Guard{"enable.auto.offset.store", "false", "offsets are committed only behind readings that are safe"},
};

// The client's queues hold about 25 MiB whatever the backlog: librdkafka stops fetching above queued.min.messages or
// queued.max.messages.kbytes, and one answer of a broker (fetch.max.bytes, compressed) may come on top.
constexpr std::array<std::pair<const char*, const char*>, 10> kDefaults = {{
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"partition.assignment.strategy", "cooperative-sticky"},
    // A killed member's partitions move after 10 s.
    {"session.timeout.ms", "10000"},
    {"heartbeat.interval.ms", "3000"},
    {"queued.min.messages", "10000"},
    {"queued.max.messages.kbytes", "4096"},
    {"message.max.bytes", "524288"},  // else fetch.max.bytes is raised to it
    {"fetch.max.bytes", "524288"},
    {"max.partition.fetch.bytes", "524288"},
}};

Properties source_properties(const KafkaSource::Config& config, bool& needs_nudging) {
  Properties properties;
  properties.set_connection(config);
  for (const auto& [name, value] : kDefaults) properties.set(name, value);
  needs_nudging = !properties.set_if_known("fetch.queue.backoff.ms", "10");
  properties.set("group.id", config.group_id);
  if (!config.group_instance_id.empty()) properties.set("group.instance.id", config.group_instance_id);
  properties.set("auto.offset.reset", config.start == KafkaSource::Start::earliest ? "earliest" : "latest");
  properties.set("enable.partition.eof", config.exit_at_end ? "true" : "false");
  properties.pass_through(config.rdkafka, kGuards);
  properties.check(RD_KAFKA_CONSUMER);
  if (config.topics.empty()) throw Failed("topics is empty");
  return properties;
}

std::string_view view(const void* bytes, std::size_t size) {
  return {static_cast<const char*>(bytes), size};
}

codec::Outcome read_value(const KafkaSource::Config& config, std::string_view value, std::string_view key,
                          Reading& reading) {
  return codec::parse_reading(value, reading, config.key_as_customer_id ? key : std::string_view());
}

// Nothing for the wire format.
std::optional<codec::Decoder> make_decoder(const KafkaSource::Config& config) {
  const auto mapping = codec::mapping_for(config.decoder, config);
  if (!mapping) return std::nullopt;
  if (config.key_as_customer_id) {
    throw Failed("key_as_customer_id: belongs to decoder \"wire\"; with a mapping say customer_id = \"key\"");
  }
  return codec::Decoder(*mapping, {.offered = codec::CustomerFrom::key, .max_payload = config.max_payload.value});
}

}  // namespace

KafkaSource::KafkaSource(const Config& config, hb::Host host)
    : config_(config),
      host_(host),
      properties_(source_properties(config, needs_nudging_)),
      member_(host, wake_),
      receive_clock_(host),
      decoder_(make_decoder(config)) {}

void KafkaSource::open() {
  member_.open(properties_.get(), config_.brokers, config_.topics);
}

void KafkaSource::close() {
  records_.clear();
  next_.clear();
  positions_.clear();
  member_.close();
}

void KafkaSource::run() {
  Emitter emitter(host_, wake_);
  commit_due_ = Clock::now() + config_.commit_interval;
  while (!host_.stopping()) {
    member_.serve();
    housekeeping();
    if (emitter.is_idle() && !next_.empty()) hand_over(emitter);
    // What comes behind the end is for another run; until all of this one is safe the group must be served.
    const bool at_end = config_.exit_at_end && member_.is_at_end() && next_.empty() && emitter.is_idle();
    if (at_end && !member_.has_pending()) return;
    const bool more = !at_end && decode_more();
    if (needs_nudging_ && !at_end) member_.nudge();
    if (!more) wake_.wait_for(kSlice);
  }
}

bool KafkaSource::decode_more() {
  const std::size_t held = next_.readings.size() + next_.rejects.size();
  if (held >= kBatch) return false;
  member_.take(records_, decoder_ ? std::min(kMappedRecords, kBatch - held) : kBatch - held);
  if (records_.empty()) return false;
  receive_clock_.tick();
  for (Message& record : records_) decode(std::move(record));
  records_.clear();
  return true;
}

void KafkaSource::decode(Message record) {
  const auto id = member_.assignment_of(*record);
  if (!id) return;  // another member reads it
  member_.set_at_end(*id, record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
  if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  note_position(*id, record->offset + 1);
  if (record->payload == nullptr) {
    ++next_.discards["tombstone"];
    return;
  }
  if (decoder_) return decode_mapped(std::move(record));
  Reading& reading = next_.readings.emplace_back();
  reading.received_us = receive_clock_.next();
  const auto outcome =
      read_value(config_, view(record->payload, record->len), view(record->key, record->key_len), reading);
  if (outcome.ok()) return;
  next_.readings.pop_back();
  if (codec::is_no_reading(outcome.reason)) {
    ++next_.discards[codec::text(outcome.reason)];
  } else {
    next_.rejects.push_back({std::move(record), codec::text(outcome.reason), outcome.detail});
  }
}

void KafkaSource::decode_mapped(Message record) {
  const codec::Payload payload{.bytes = view(record->payload, record->len),
                               .context_id = view(record->key, record->key_len),
                               .received_us = receive_clock_.next()};
  decoder_->decode(payload, decoded_);
  receive_clock_.used_up_to(decoded_.back().reading.received_us);
  for (std::size_t i = 0; i < decoded_.size(); ++i) {
    const codec::Decoded& decoded = decoded_[i];
    const char* const reason = codec::text(decoded.outcome.reason);
    if (decoded.outcome.ok()) {
      next_.readings.push_back(decoded.reading);
    } else if (codec::is_no_reading(decoded.outcome.reason)) {
      ++next_.discards[reason];
    } else if (decoded.element.data() == payload.bytes.data() && decoded.element.size() == payload.bytes.size()) {
      next_.rejects.push_back({std::move(record), reason, decoded.outcome.detail});
      return;  // there is no other
    } else {
      auto part = std::make_unique<DecodedBatch::Part>();
      part->origin = origin_of(*record) + '#' + std::to_string(i + 1);
      part->payload = decoded.element;
      part->key = decoder_->context_of(decoded, payload);
      next_.rejects.push_back({nullptr, reason, decoded.outcome.detail, std::move(part)});
    }
  }
}

void KafkaSource::decode(const hb::DecodeInput& input, const hb::DecodeOutput& output) {
  if (!decoder_) {
    decoded_.resize(1);
    codec::Decoded& decoded = decoded_.front();
    decoded = {};
    decoded.element = input.payload;
    decoded.reading.received_us = input.received_us;
    decoded.outcome = read_value(config_, input.payload, input.key, decoded.reading);
  } else {
    const codec::Payload payload{
        .bytes = input.payload, .context_id = input.key, .received_us = input.received_us, .retained = input.retained};
    const bool element = input.origin.find('#') != std::string_view::npos;  // no topic's name has one
    element ? decoder_->decode_element(payload, decoded_) : decoder_->decode(payload, decoded_);
  }
  codec::hand_out(decoded_, output);
}

void KafkaSource::note_position(OffsetTracker::Id id, std::int64_t next) {
  if (!positions_.empty() && positions_.back().id == id) {
    positions_.back().next = next;
    return;
  }
  const auto found = std::find_if(positions_.begin(), positions_.end(), [id](const auto& p) { return p.id == id; });
  if (found == positions_.end()) {
    positions_.push_back({id, next});
  } else {
    found->next = next;
    std::swap(*found, positions_.back());
  }
}

void KafkaSource::hand_over(Emitter& emitter) {
  next_.token = ++token_;
  member_.emitted(token_, std::move(positions_));
  positions_.clear();
  emitter.hand_over(next_);
  next_.readings.reserve(kBatch);
}

void KafkaSource::housekeeping() {
  const auto now = Clock::now();
  const bool commit_due = now >= commit_due_;
  if (commit_due) commit_due_ = now + config_.commit_interval;
  member_.commit_safe(commit_due);
  if (now >= gauges_due_) {
    gauges_due_ = now + kGaugeInterval;
    member_.show_gauges();
  }
  member_.probe();
}

}  // namespace hb::kafka
