#include "topic.hpp"

namespace hb::kafka {
namespace {

using namespace std::chrono_literals;

// How long a topic may stay unknown: brokers that create topics on first use, or that were just told to, need a moment.
constexpr auto kPropagation = 5s;

int milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(time.count());
}

// Asks the brokers to create the topic and returns their answer; `detail` is its text.
rd_kafka_resp_err_t create_topic(rd_kafka_t* client, const TopicPlan& plan, std::chrono::milliseconds timeout,
                                 std::string& detail) {
  char text[512] = "";
  const NewTopic topic(
      rd_kafka_NewTopic_new(plan.name.c_str(), plan.partitions, plan.replication_factor, text, sizeof text));
  if (!topic) throw Failed("topic " + plan.name + ": " + text);
  const AdminOptions options(rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), milliseconds(timeout), text, sizeof text);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), milliseconds(timeout), text, sizeof text);

  const Queue answers(rd_kafka_queue_new(client));
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  rd_kafka_CreateTopics(client, topics, 1, options.get(), answers.get());
  const Event event(rd_kafka_queue_poll(answers.get(), milliseconds(timeout + 1s)));
  if (!event) throw Retry("no answer to the creation of topic " + plan.name);
  if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Retry("topic " + plan.name + " could not be created: " + rd_kafka_event_error_string(event.get()));
  }
  std::size_t count = 0;
  const auto* const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) throw Retry("topic " + plan.name + ": the brokers' answer to its creation names no topic");
  const char* const answer = rd_kafka_topic_result_error_string(results[0]);
  const auto code = rd_kafka_topic_result_error(results[0]);
  detail = answer == nullptr ? error_text(code) : answer;
  return code;
}

struct TopicState {
  rd_kafka_resp_err_t code;
  int partitions;
};

TopicState look_up(rd_kafka_t* client, rd_kafka_topic_t* topic, std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client, 0, topic, &raw, milliseconds(timeout));
  const Metadata metadata(raw);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw Retry(std::string("topic ") + rd_kafka_topic_name(topic) + " could not be looked up: " + error_text(code));
  }
  if (metadata->topic_cnt != 1) return {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 0};
  return {metadata->topics[0].err, metadata->topics[0].partition_cnt};
}

}  // namespace

void ensure_topic(rd_kafka_t* client, const Host& host, const TopicPlan& plan, std::chrono::milliseconds timeout) {
  std::string refusal;
  bool created = false;
  if (plan.create) {
    const auto code = create_topic(client, plan, timeout, refusal);
    created = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    // Refused, for instance for want of the right to create: the topic may exist all the same.
    if (created) host.info("topic " + plan.name + " created with " + std::to_string(plan.partitions) + " partitions");
    if (created || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) refusal.clear();
  }

  const Topic topic(rd_kafka_topic_new(client, plan.name.c_str(), nullptr));
  if (!topic) throw Failed("topic " + plan.name + ": " + error_text(rd_kafka_last_error()));
  const auto deadline = std::chrono::steady_clock::now() + kPropagation;
  TopicState state = look_up(client, topic.get(), timeout);
  while (
      (state.code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || state.code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) &&
      std::chrono::steady_clock::now() < deadline && !host.wait(100ms)) {
    state = look_up(client, topic.get(), timeout);
  }
  if (state.code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    throw Retry("topic " + plan.name + ": " + error_text(state.code));
  }
  if (state.code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    throw Failed("topic " + plan.name + " does not exist" +
                 (refusal.empty() ? ": create it or set create_topic = true" : " and cannot be created: " + refusal));
  }
  if (state.code != RD_KAFKA_RESP_ERR_NO_ERROR) throw Failed("topic " + plan.name + ": " + error_text(state.code));
  if (plan.create && !created && state.partitions != plan.partitions) {
    host.warn("topic " + plan.name + " has " + std::to_string(state.partitions) + " partitions, not the configured " +
              std::to_string(plan.partitions) + "; it is used as it is");
  }
}

}  // namespace hb::kafka
