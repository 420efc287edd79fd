// The sink's topic: made when it is missing and that is wanted, never changed.
#pragma once

#include <hbagent/host.hpp>

#include <chrono>
#include <string>

#include "rdkafka.hpp"

namespace hb::kafka {

struct TopicPlan {
  std::string name;
  bool create = false;
  int partitions = 12;
  int replication_factor = -1;  // -1: the brokers' default
};

// Makes sure that the topic can be written to; creates it where `plan` says so. Warns where it exists with another
// number of partitions than planned. hb::Retry where no broker answers in time, hb::Failed where the topic does not
// exist or may not be used. [instance-thread]
void ensure_topic(rd_kafka_t* client, const Host& host, const TopicPlan& plan, std::chrono::milliseconds timeout);

}  // namespace hb::kafka
