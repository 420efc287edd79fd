// librdkafka's handles as owning types: what is created is destroyed, in the reverse order of declaration.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <span>
#include <string>

// rd_kafka_producev's argument macros check their types with a statement expression; clang warns where they are used.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#endif

namespace hb::kafka {

template <auto Destroy>
struct Deleter {
  template <class T>
  void operator()(T* handle) const noexcept {
    Destroy(handle);
  }
};

using Conf = std::unique_ptr<rd_kafka_conf_t, Deleter<rd_kafka_conf_destroy>>;
using Client = std::unique_ptr<rd_kafka_t, Deleter<rd_kafka_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Deleter<rd_kafka_topic_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Deleter<rd_kafka_event_destroy>>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, Deleter<rd_kafka_error_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, Deleter<rd_kafka_topic_partition_list_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Deleter<rd_kafka_metadata_destroy>>;

inline std::span<rd_kafka_topic_partition_t> elements(const rd_kafka_topic_partition_list_t& list) {
  return {list.elems, static_cast<std::size_t>(list.cnt)};
}

inline std::string error_text(rd_kafka_resp_err_t code) {
  return rd_kafka_err2str(code);
}

}  // namespace hb::kafka
