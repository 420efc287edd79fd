// One member of a group against a real broker, while librdkafka moves partitions between any two of its messages.
#include <hbagent/testing.hpp>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "group_member.hpp"
#include "kafka_broker.hpp"
#include "support/catch.hpp"
#include "wait_until.hpp"

using namespace std::chrono_literals;
using hb::kafka::GroupMember;
using hb::testing::TestHost;

namespace {

// Stops a consumer at its tenth message, between two messages of one call, until librdkafka has paused the partition
// for a rebalance.
class Hold {
 public:
  Hold() = default;
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  void attach(rd_kafka_conf_t* conf) {
    rd_kafka_conf_interceptor_add_on_conf_dup(
        conf, "hold",
        [](rd_kafka_conf_t* copy, const rd_kafka_conf_t*, std::size_t, const char**, void* self) {
          return rd_kafka_conf_interceptor_add_on_new(copy, "hold", on_new, self);
        },
        this);
  }
  // Whose log says that they are paused.
  void watch(const TestHost& host) { host_ = &host; }
  bool is_held() const { return held_; }

 private:
  static rd_kafka_resp_err_t on_new(rd_kafka_t* client, const rd_kafka_conf_t*, void* self, char*, std::size_t) {
    return rd_kafka_interceptor_add_on_consume(
        client, "hold",
        [](rd_kafka_t*, rd_kafka_message_t*, void* opaque) {
          static_cast<Hold*>(opaque)->consumed();
          return RD_KAFKA_RESP_ERR_NO_ERROR;
        },
        self);
  }
  // Called from within librdkafka: throws nothing.
  void consumed() {
    if (++count_ != 10) return;
    held_ = true;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!is_paused() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  }
  bool is_paused() const {
    const auto logs = host_->logs();
    return std::any_of(logs.begin(), logs.end(), [](const auto& line) {
      const auto has = [&](const char* part) { return line.second.find(part) != std::string::npos; };
      return has("librdkafka PAUSE") && has("at offset");
    });
  }
  const TestHost* host_ = nullptr;
  int count_ = 0;
  std::atomic<bool> held_ = false;
};

hb::kafka::Conf member_conf(const std::string& group) {
  hb::kafka::Conf conf(rd_kafka_conf_new());
  const std::pair<const char*, std::string> settings[] = {
      {"bootstrap.servers", KafkaBroker::shared().address()},
      {"group.id", group},
      {"partition.assignment.strategy", "cooperative-sticky"},
      {"heartbeat.interval.ms", "100"},
      {"auto.offset.reset", "earliest"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"debug", "topic"},
  };
  for (const auto& [name, value] : settings) {
    REQUIRE(rd_kafka_conf_set(conf.get(), name, value.c_str(), nullptr, 0) == RD_KAFKA_CONF_OK);
  }
  return conf;
}

// A member from its opening to its end.
struct Joined {
  Joined(const hb::kafka::Conf& conf, const std::string& topic) : member(host.host(), wake) {
    member.open(conf.get(), KafkaBroker::shared().address(), {topic});
  }
  ~Joined() { member.close(); }
  TestHost host;
  hb::kafka::Wake wake;
  GroupMember member;
};

}  // namespace

TEST_CASE("a rebalance between two records of one take costs none of them") {
  PlainClient kafka(KafkaBroker::shared().address());
  const std::string topic = kafka.new_topic(1);
  const std::string other_topic = kafka.new_topic(1);
  kafka.produce(topic, std::vector<Record>(1000, Record{"key", "value"}));
  const auto conf = member_conf("group-of-" + topic);
  Hold hold;
  hold.attach(conf.get());
  Joined member(conf, topic);
  hold.watch(member.host);
  // It takes no partition away, but all are paused while it joins.
  std::jthread newcomer([&](const std::stop_token& stop) {
    wait_until("the first to be in the middle", 60s, [&] { return hold.is_held() || stop.stop_requested(); });
    Joined other(member_conf("group-of-" + topic), other_topic);
    while (!stop.stop_requested()) {
      other.member.serve();
      other.wake.wait_for(20ms);
    }
  });
  std::set<std::int64_t> offsets;
  wait_until("the last record", 60s, [&] {
    std::vector<hb::kafka::Message> records;
    member.member.serve();
    member.member.take(records, 4096);
    for (const auto& record : records) offsets.insert(record->offset);
    return offsets.contains(999);
  });
  CHECK(hold.is_held());
  CHECK(offsets.size() == 1000);
}
