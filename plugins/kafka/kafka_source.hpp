// Reads readings from Kafka topics as a member of a consumer group. Offsets are committed only behind what is safe.
#pragma once

#include <hbagent/sdk.hpp>
#include <hbcommon/decoder.hpp>
#include <hbcommon/payload_format.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "connection.hpp"
#include "emitter.hpp"
#include "group_member.hpp"

namespace hb::kafka {

class KafkaSource {
 public:
  enum class Start { earliest, latest };
  struct Config : ConnectionConfig, codec::Mapping {
    std::vector<std::string> topics{"heartbeats"};
    std::string group_id = "hbagent";
    std::string group_instance_id;
    Start start = Start::earliest;
    std::chrono::milliseconds commit_interval{1000};
    bool key_as_customer_id = false;
    bool exit_at_end = false;
    codec::PayloadFormat decoder = codec::PayloadFormat::wire;
    Bytes max_payload = 64_KiB;
  };
  static constexpr auto options = std::tuple_cat(
      connection_options<Config>(),
      hb::options(
          hb::option("topics", &Config::topics,
                     "Topics to read; one that begins with ^ is a regular expression over all topics."),
          hb::option("group_id", &Config::group_id,
                     "Consumer group. Agents with the same one share the partitions; the group's offsets say what was "
                     "read."),
          hb::option("group_instance_id", &Config::group_instance_id,
                     "Fixed name of this member: a restart within the session timeout moves no partition. Unique in "
                     "the group.")
              .example("\"edge-01\""),
          hb::option("start", &Config::start, "Where a group without committed offsets begins.")
              .choices("earliest", "latest"),
          hb::option("commit_interval", &Config::commit_interval, "How often offsets are committed.")
              .range(std::chrono::milliseconds(10), std::chrono::minutes(10)),
          hb::option("key_as_customer_id", &Config::key_as_customer_id,
                     "With decoder \"wire\": take the record's key as the customer where the value names none."),
          hb::option("exit_at_end", &Config::exit_at_end,
                     "End when every assigned partition was read to its end, instead of waiting for more."),
          hb::option("decoder", &Config::decoder,
                     "How records are written: the wire format, which needs no more, or what the options below map.")
              .choices("wire", "json", "csv", "scalar", "gatt_hrm", "senml"),
          hb::option("max_payload", &Config::max_payload, "With a mapping: larger records go to the dead letters.")
              .range(Bytes{64}, 16_MiB)),
      codec::mapping_options_without_decoder<Config>());

  // Connects nowhere. hb::Failed where the configuration cannot be used.
  KafkaSource(const Config& config, hb::Host host);
  void open();
  void run();
  void close();
  void decode(const hb::DecodeInput& input, const hb::DecodeOutput& output);

 private:
  using Clock = std::chrono::steady_clock;

  // Whether there was anything.
  bool decode_more();
  void decode(Message record);
  void decode_mapped(Message record);
  void note_position(OffsetTracker::Id id, std::int64_t next);
  void hand_over(Emitter& emitter);
  void housekeeping();

  Config config_;
  hb::Host host_;
  bool needs_nudging_ = false;  // GroupMember::nudge
  Properties properties_;
  Wake wake_;
  GroupMember member_;

  std::uint64_t token_ = 0;  // grows over every open: the agent's rule
  ReceiveClock receive_clock_;
  std::optional<codec::Decoder> decoder_;  // none: the wire format
  std::vector<codec::Decoded> decoded_;
  std::vector<Message> records_;
  DecodedBatch next_;
  std::vector<OffsetTracker::Position> positions_;  // behind the records in next_
  Clock::time_point commit_due_, gauges_due_;
};

}  // namespace hb::kafka
