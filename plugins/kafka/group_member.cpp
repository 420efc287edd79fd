#include "group_member.hpp"

#include "connection.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace hb::kafka {
namespace {

using namespace std::chrono_literals;

constexpr int kConnectTimeoutMs = 5000;
constexpr int kCommittedTimeoutMs = 5000;
// A partition that moves to another member in good order waits so long for the readings under way to become safe; they
// are then not read twice.
constexpr auto kRevokeGrace = 3s;
constexpr auto kCommitLimit = 5s;  // while partitions move; beyond it they are read twice
constexpr auto kLeaveLimit = 4s;   // the agent waits 5 s for a plugin that is told to end
constexpr int kPollMs = 50;
constexpr auto kNudgeInterval = 10ms;
constexpr auto kNudgeUntil = 3s;  // after the last record
constexpr int kNudgeTimeoutMs = 500;
constexpr std::size_t kRunningLow = 4096;
constexpr auto kProbeInterval = 1s;
constexpr int kProbeTimeoutMs = 200;

Partition partition_of(const rd_kafka_topic_partition_t& element) {
  return {element.topic, element.partition};
}

PartitionList make_list(const std::vector<CommitPoint>& points) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(points.size())));
  for (const CommitPoint& point : points) {
    rd_kafka_topic_partition_list_add(list.get(), point.partition.topic.c_str(), point.partition.number)->offset =
        point.offset;
  }
  return list;
}

// "heartbeats 0, 3, 4; other 1"
std::string names(const rd_kafka_topic_partition_list_t& partitions) {
  std::string text;
  const char* topic = "";
  for (const auto& element : elements(partitions)) {
    if (std::string_view(topic) != element.topic) {
      topic = element.topic;
      text += (text.empty() ? "" : "; ") + std::string(topic) + ' ';
    } else {
      text += ", ";
    }
    text += std::to_string(element.partition);
  }
  return text;
}

void wake_up(rd_kafka_t*, void* wake) noexcept {
  static_cast<Wake*>(wake)->set();
}

}  // namespace

GroupMember::GroupMember(Host host, Wake& wake) : host_(host), wake_(wake) {}

void GroupMember::open(const rd_kafka_conf_t* properties, const std::string& brokers,
                       const std::vector<std::string>& topics) {
  events_->reset();
  client_ = make_client(RD_KAFKA_CONSUMER, properties, [this](rd_kafka_conf_t* conf) {
    events_->attach(conf);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
  });
  require_broker(client_.get(), *events_, brokers, std::chrono::milliseconds(kConnectTimeoutMs));
  rd_kafka_poll_set_consumer(client_.get());
  records_.reset(rd_kafka_queue_new(client_.get()));
  group_.reset(rd_kafka_queue_get_consumer(client_.get()));
  rd_kafka_queue_cb_event_enable(records_.get(), wake_up, &wake_);
  rd_kafka_queue_cb_event_enable(group_.get(), wake_up, &wake_);

  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  if (const auto code = rd_kafka_subscribe(client_.get(), list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Failed("cannot subscribe: " + error_text(code));
  }
}

void GroupMember::close() {
  closing_until_ = std::chrono::steady_clock::now() + kLeaveLimit;
  if (client_ && group_) {
    tracker_.acked(host_.acked());
    leave_group();
  }
  if (records_) rd_kafka_queue_cb_event_enable(records_.get(), nullptr, nullptr);
  if (group_) rd_kafka_queue_cb_event_enable(group_.get(), nullptr, nullptr);
  group_.reset();
  records_.reset();
  // A group that could not be left in good order misses this member after its session's time.
  if (client_) {
    end_consumer(std::move(client_), std::exchange(events_, std::make_shared<ClientEvents>(host_, this)),
                 *closing_until_);
  }
  closing_until_.reset();
  tracker_.clear();
  at_end_.clear();
  callback_failure_ = nullptr;
  run_topic_ = nullptr;
}

// As rd_kafka_consumer_close, which revokes and so commits everything, but with an end: where the coordinator is away
// that function waits without one.
void GroupMember::leave_group() {
  const Queue events(rd_kafka_queue_new(client_.get()));
  if (const ErrorHandle refused{rd_kafka_consumer_close_queue(client_.get(), events.get())}) {
    host_.warn("cannot leave the group: " + std::string(rd_kafka_error_string(refused.get())));
    return;
  }
  while (rd_kafka_consumer_closed(client_.get()) == 0 && std::chrono::steady_clock::now() < *closing_until_) {
    rd_kafka_queue_poll_callback(events.get(), kPollMs);
  }
}

void GroupMember::serve() {
  while (const Message message{rd_kafka_consumer_poll(client_.get(), 0)}) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      group_error(*message);
    } else {  // never seen; to drop it here would let a later offset pass it
      throw Retry("a record came through the group's queue");
    }
  }
  if (callback_failure_) std::rethrow_exception(std::exchange(callback_failure_, nullptr));
}

// One at a time: a rebalance pauses every partition, also those that stay, and then rd_kafka_consume_batch_queue before
// librdkafka 2.1 drops what it has taken of them and goes on behind it, and from 2.2 on it may count the end of a
// partition as a record.
void GroupMember::take(std::vector<Message>& records, std::size_t limit) {
  while (records.size() < limit) {
    Message record(rd_kafka_consume_queue(records_.get(), 0));
    if (!record) break;
    records.push_back(std::move(record));
  }
  if (!records.empty()) {
    events_->up();
    taken_at_ = std::chrono::steady_clock::now();
  }
  for (const Message& record : records) {
    if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR && record->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      group_error(*record);
    }
  }
}

std::optional<OffsetTracker::Id> GroupMember::assignment_of(const rd_kafka_message_t& record) {
  if (record.rkt != run_topic_ || record.partition != run_partition_) {
    run_topic_ = record.rkt;
    run_partition_ = record.partition;
    run_id_ = tracker_.find({rd_kafka_topic_name(record.rkt), record.partition});
  }
  return run_id_;
}

void GroupMember::emitted(std::uint64_t token, std::vector<OffsetTracker::Position> positions) {
  tracker_.emitted(token, std::move(positions));
}

void GroupMember::commit_safe(bool due) {
  tracker_.acked(host_.acked());
  if (!due) return;
  const auto points = tracker_.uncommitted();
  if (points.empty()) return;
  tracker_.committing(points);
  const PartitionList list = make_list(points);
  const auto code = rd_kafka_commit(client_.get(), list.get(), 1);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) commit_result(code, list.get());
}

// Everything that is safe, and waits for the brokers' answer: not without an end as rd_kafka_commit does, which holds
// back what it is asked while the coordinator is away.
void GroupMember::commit_and_wait() {
  const auto points = tracker_.uncommitted();
  if (points.empty()) return;
  tracker_.committing(points);
  const PartitionList list = make_list(points);
  // An answer that comes after the wait goes with the queue, and this with it.
  struct Answer {
    GroupMember& member;
    bool is_there = false;
  } answer{*this};
  const Queue answers(rd_kafka_queue_new(client_.get()));
  auto code = rd_kafka_commit_queue(
      client_.get(), list.get(), answers.get(),
      [](rd_kafka_t* client, rd_kafka_resp_err_t result, rd_kafka_topic_partition_list_t* offsets, void* opaque) {
        auto& to = *static_cast<Answer*>(opaque);
        to.is_there = true;
        on_commit(client, result, offsets, to.member.events_.get());
      },
      &answer);
  const auto limit = closing_until_.value_or(std::chrono::steady_clock::now() + kCommitLimit);
  while (code == RD_KAFKA_RESP_ERR_NO_ERROR && !answer.is_there && std::chrono::steady_clock::now() < limit) {
    rd_kafka_queue_poll_callback(answers.get(), kPollMs);
  }
  if (answer.is_there) return;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = RD_KAFKA_RESP_ERR__TIMED_OUT;
  commit_result(code, list.get());
}

void GroupMember::commit_result(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t* offsets) {
  if (code == RD_KAFKA_RESP_ERR__NO_OFFSET || offsets == nullptr) return;
  auto failure = code;
  for (const auto& element : elements(*offsets)) {
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && element.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) failure = element.err;
    tracker_.commit_failed(partition_of(element));
  }
  const bool failed = failure != RD_KAFKA_RESP_ERR_NO_ERROR;
  if (failed && !commit_failing_) {
    host_.warn("offsets could not be committed: " + error_text(failure) +
               (closing_until_ ? "; those records are read again" : "; it is tried again"));
  } else if (!failed && commit_failing_) {
    host_.info("offsets are committed again");
  }
  commit_failing_ = failed;
}

void GroupMember::set_at_end(OffsetTracker::Id id, bool at_end) {
  if (at_end) {
    at_end_.insert(id);
  } else if (!at_end_.empty()) {
    at_end_.erase(id);
  }
}

bool GroupMember::is_at_end() const {
  const auto& assignments = tracker_.assignments();
  return !assignments.empty() && std::all_of(assignments.begin(), assignments.end(),
                                             [this](const auto& entry) { return at_end_.contains(entry.first); });
}

void GroupMember::show_gauges() const {
  std::int64_t lag = 0;
  for (const auto& [id, state] : tracker_.assignments()) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto code = rd_kafka_get_watermark_offsets(client_.get(), state.partition.topic.c_str(),
                                                     state.partition.number, &low, &high);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) continue;  // nothing was fetched yet
    lag += std::max<std::int64_t>(high - std::max(state.safe, low), 0);
  }
  host_.gauge("lag_readings", static_cast<double>(lag));
  host_.gauge("assigned_partitions", static_cast<double>(tracker_.assignments().size()));
}

void GroupMember::probe() {
  if (events_->is_up() || topic_missing_ || std::chrono::steady_clock::now() - probed_ < kProbeInterval) return;
  probed_ = std::chrono::steady_clock::now();
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 0, nullptr, &raw, kProbeTimeoutMs);
  const Metadata metadata(raw);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) events_->up();
}

void GroupMember::nudge() {
  const auto now = std::chrono::steady_clock::now();
  if (now - nudged_ < kNudgeInterval || now - taken_at_ > kNudgeUntil ||
      rd_kafka_queue_length(records_.get()) >= kRunningLow) {
    return;
  }
  nudged_ = now;
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(tracker_.assignments().size())));
  for (const auto& [id, state] : tracker_.assignments()) {
    rd_kafka_topic_partition_list_add(list.get(), state.partition.topic.c_str(), state.partition.number);
  }
  rd_kafka_position(client_.get(), list.get());
  const auto is_behind = [this](const rd_kafka_topic_partition_t& element) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto code = rd_kafka_get_watermark_offsets(client_.get(), element.topic, element.partition, &low, &high);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && high > element.offset;
  };
  if (std::none_of(list->elems, list->elems + list->cnt, is_behind)) return;
  // A look-up of end offsets goes to the leader of each partition: to just the connections that are to go on.
  for (auto& element : elements(*list)) element.offset = RD_KAFKA_OFFSET_END;
  rd_kafka_offsets_for_times(client_.get(), list.get(), kNudgeTimeoutMs);
}

void GroupMember::group_error(const rd_kafka_message_t& message) {
  const std::string text = message.payload == nullptr ? error_text(message.err) : rd_kafka_message_errstr(&message);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      throw Failed(text);
    case RD_KAFKA_RESP_ERR__FATAL:
      throw Retry(text);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      topic_missing_ = true;
      return events_->down(text);
    default:  // librdkafka goes on by itself
      host_.warn(text);
  }
}

// ---- rebalances --------------------------------------------------------------------------------------------------

bool GroupMember::is_cooperative() const {
  const char* const protocol = rd_kafka_rebalance_protocol(client_.get());
  return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
}

void GroupMember::on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                               void* opaque) noexcept {
  auto& self = ClientEvents::owner<GroupMember>(opaque);
  try {
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      self.assign(*partitions);
    } else {
      self.revoke(*partitions, rd_kafka_assignment_lost(self.client_.get()) != 0);
    }
  } catch (...) {  // serve throws it on; the source then leaves the group
    self.callback_failure_ = std::current_exception();
  }
}

void GroupMember::assign(rd_kafka_topic_partition_list_t& partitions) {
  run_topic_ = nullptr;
  topic_missing_ = false;
  // Knowing where each one begins makes the lag right from the start. Without an answer librdkafka asks again itself.
  if (partitions.cnt != 0 && !closing_until_) rd_kafka_committed(client_.get(), &partitions, kCommittedTimeoutMs);
  for (auto& element : elements(partitions)) {
    tracker_.assign(partition_of(element), element.offset >= 0 ? element.offset : OffsetTracker::kUnknown);
    const Queue queue(rd_kafka_queue_get_partition(client_.get(), element.topic, element.partition));
    rd_kafka_queue_forward(queue.get(), records_.get());
  }
  if (is_cooperative()) {
    if (const ErrorHandle error{rd_kafka_incremental_assign(client_.get(), &partitions)}) {
      throw Retry(std::string("partitions could not be assigned: ") + rd_kafka_error_string(error.get()));
    }
  } else if (const auto code = rd_kafka_assign(client_.get(), &partitions); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Retry("partitions could not be assigned: " + error_text(code));
  }
  events_->up();
  if (partitions.cnt != 0) host_.info("partitions assigned: " + names(partitions));
}

void GroupMember::revoke(rd_kafka_topic_partition_list_t& partitions, bool lost) {
  run_topic_ = nullptr;
  if (!lost) {
    wait_until_safe(partitions);
    commit_and_wait();
  }
  for (const auto& element : elements(partitions)) {
    if (const auto id = tracker_.find(partition_of(element))) at_end_.erase(*id);
    tracker_.revoke(partition_of(element));
  }
  if (is_cooperative()) {
    if (const ErrorHandle error{rd_kafka_incremental_unassign(client_.get(), &partitions)}) {
      throw Retry(std::string("partitions could not be given up: ") + rd_kafka_error_string(error.get()));
    }
  } else if (const auto code = rd_kafka_assign(client_.get(), nullptr); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Retry("partitions could not be given up: " + error_text(code));
  }
  if (partitions.cnt == 0) return;
  if (lost) {
    host_.warn("partitions lost: " + names(partitions));
    // The coordinator has not heard of us, or we not of it: nothing moves until the group has us again.
    events_->down("this member has lost its group");
  } else if (!closing_until_) {
    host_.info("partitions given up: " + names(partitions));
  }
}

void GroupMember::wait_until_safe(const rd_kafka_topic_partition_list_t& partitions) {
  const auto pending = [&] {
    tracker_.acked(host_.acked());
    return std::any_of(partitions.elems, partitions.elems + partitions.cnt, [this](const auto& element) {
      const auto id = tracker_.find(partition_of(element));
      return id && tracker_.is_pending(*id);
    });
  };
  const auto deadline = std::chrono::steady_clock::now() + kRevokeGrace;
  while (!closing_until_ && pending() && std::chrono::steady_clock::now() < deadline && !host_.wait(5ms)) {
  }
}

void GroupMember::on_commit(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* offsets,
                            void* opaque) noexcept {
  auto& self = ClientEvents::owner<GroupMember>(opaque);
  try {
    self.commit_result(code, offsets);
  } catch (...) {  // out of memory: serve throws it on
    self.callback_failure_ = std::current_exception();
  }
}

}  // namespace hb::kafka
