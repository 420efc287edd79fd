// One member of a consumer group: takes records, follows the assignment of partitions, commits what is safe.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client.hpp"
#include "emitter.hpp"
#include "offset_tracker.hpp"
#include "rdkafka.hpp"

namespace hb::kafka {

// Records and group events come through two queues of librdkafka: the group stays served (rebalances are answered at
// once, offsets are committed) however long no record is taken. Every function and every callback but those of `Wake`
// runs on the instance's thread.
class GroupMember {
 public:
  // `wake` is set when there may be something to take or to serve, and outlives the member.
  GroupMember(Host host, Wake& wake);
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;

  // Connects and joins. A topic that begins with '^' is a regular expression. hb::Retry where no broker answers.
  void open(const rd_kafka_conf_t* properties, const std::string& brokers, const std::vector<std::string>& topics);
  // Commits what is safe and leaves the group, as far as that can be done within 4 s. Records that were taken must be
  // gone. Does nothing when not open.
  void close();

  // Answers rebalances and reads the results of commits. hb::Failed and hb::Retry for what the group cannot go on with.
  void serve();
  // Takes up to `limit` records and ends of partitions, in the order of each partition, without waiting.
  void take(std::vector<Message>& records, std::size_t limit);

  // The assignment that a record belongs to; nothing when the partition was taken away meanwhile.
  std::optional<OffsetTracker::Id> assignment_of(const rd_kafka_message_t& record);
  void emitted(std::uint64_t token, std::vector<OffsetTracker::Position> positions);
  // Reads the agent's acknowledgement. Starts to commit what it allows when `due`.
  void commit_safe(bool due);

  // exit_at_end: the partition was read to its end, or goes on.
  void set_at_end(OffsetTracker::Id id, bool at_end);
  bool is_at_end() const;
  bool has_pending() const { return tracker_.has_pending(); }

  void show_gauges() const;
  // While Kafka is down and nothing is taken: asks whether it is back.
  void probe();
  // Before librdkafka 2.2 a client whose queue was full fetches again only after up to a second, however soon there is
  // room. Any request wakes it: called when records run low while the brokers have more.
  void nudge();

 private:
  void leave_group();
  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                           void* opaque) noexcept;
  static void on_commit(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* offsets,
                        void* opaque) noexcept;
  void assign(rd_kafka_topic_partition_list_t& partitions);
  void revoke(rd_kafka_topic_partition_list_t& partitions, bool lost);
  void wait_until_safe(const rd_kafka_topic_partition_list_t& partitions);
  void commit_and_wait();
  void commit_result(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t* offsets);
  void group_error(const rd_kafka_message_t& message);
  bool is_cooperative() const;

  Host host_;
  Wake& wake_;
  std::shared_ptr<ClientEvents> events_ = std::make_shared<ClientEvents>(host_, this);
  OffsetTracker tracker_;
  std::set<OffsetTracker::Id> at_end_;
  std::exception_ptr callback_failure_;
  bool commit_failing_ = false;
  bool topic_missing_ = false;
  // Set while close() runs: what it waits for ends then.
  std::optional<std::chrono::steady_clock::time_point> closing_until_;
  std::chrono::steady_clock::time_point probed_, nudged_, taken_at_;
  // The last answer of assignment_of: records come in long runs.
  const rd_kafka_topic_t* run_topic_ = nullptr;
  std::int32_t run_partition_ = -1;
  std::optional<OffsetTracker::Id> run_id_;

  Client client_;
  Queue records_;  // the partitions' queues are forwarded here
  Queue group_;
};

}  // namespace hb::kafka
