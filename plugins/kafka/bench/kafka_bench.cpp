// Speed of the Kafka plugins beside the least that librdkafka itself needs: a loop that produces ready-made records,
// and one that takes records and throws them away. Same records, same settings, same broker, one after the other.
//
//   bench_kafka BROKERS [READINGS] [ROUNDS] [BATCH]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hbagent/testing.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>

#include "kafka_sink.hpp"
#include "kafka_source.hpp"

using namespace hb::kafka;
using hb::testing::TestBatch;
using hb::testing::TestHost;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kCustomers = 200;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Result {
  double rate = 0;  // thousands a second
  double cpu_per_million = 0;
  double peak_mb = 0;  // resident, of the whole process
};

// Runs one round in a process of its own, so that memory is its own as well.
template <class Round>
Result in_child(const Round& round) {
  int channel[2];
  if (pipe(channel) != 0) throw std::runtime_error("pipe");
  const pid_t child = fork();
  if (child == 0) {
    Result result = round();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    result.peak_mb = static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
    _exit(write(channel[1], &result, sizeof result) == sizeof result ? 0 : 1);
  }
  close(channel[1]);
  Result result;
  const bool complete = read(channel[0], &result, sizeof result) == sizeof result;
  close(channel[0]);
  waitpid(child, nullptr, 0);
  if (!complete) throw std::runtime_error("a round failed");
  return result;
}

template <class Work>
Result measure(std::size_t count, const Work& work) {
  const auto begin = Clock::now();
  const double cpu = cpu_seconds();
  work();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return {static_cast<double>(count) / seconds / 1e3, (cpu_seconds() - cpu) / static_cast<double>(count) * 1e6, 0};
}

std::vector<hb::Reading> make_readings(std::size_t count) {
  // Of today: a broker's retention takes older records away in mid-round.
  const std::int64_t now = TestHost().host().now_us();
  std::vector<hb::Reading> readings;
  for (std::size_t i = 0; i < count; ++i) {
    const auto time = now + static_cast<std::int64_t>(i) * 10'007;
    char id[16];
    std::snprintf(id, sizeof id, "cust_%05d", static_cast<int>(i % kCustomers));
    readings.push_back(hb::testing::make_reading(id, time, 60 + static_cast<int>(i * 7 % 80), 0, time));
  }
  return readings;
}

struct Bench {
  std::string brokers;
  std::size_t count;
  std::size_t batch;
  std::string topic;

  KafkaSink::Config sink_config() const {
    KafkaSink::Config config;
    config.brokers = brokers;
    config.topic = topic;
    config.create_topic = true;
    return config;
  }
};

Result sink_round(const Bench& bench) {
  const auto readings = make_readings(bench.count);
  TestHost host;
  KafkaSink sink(bench.sink_config(), host.host());
  sink.open();
  std::vector<std::unique_ptr<TestBatch>> batches;
  for (std::size_t i = 0; i < bench.count; i += bench.batch) {
    const auto first = readings.begin() + static_cast<std::ptrdiff_t>(i);
    batches.push_back(std::make_unique<TestBatch>(
        std::vector(first, first + static_cast<std::ptrdiff_t>(std::min(bench.batch, bench.count - i)))));
  }
  const auto result = measure(bench.count, [&] {
    for (auto& batch : batches) sink.write(batch->sink_batch());
  });
  sink.close();
  return result;
}

Result producer_round(const Bench& bench) {
  const auto readings = make_readings(bench.count);
  std::vector<std::string> values;
  for (const auto& reading : readings) {
    char json[hb::codec::kReadingJsonCapacity];
    values.emplace_back(json, hb::codec::format_reading(reading, json));
  }
  Properties properties;
  for (const auto& [name, value] : std::map<std::string, std::string>{{"bootstrap.servers", bench.brokers},
                                                                      {"enable.idempotence", "true"},
                                                                      {"acks", "all"},
                                                                      {"compression.codec", "lz4"},
                                                                      {"linger.ms", "5"},
                                                                      {"partitioner", "murmur2_random"}}) {
    properties.set(name, value);
  }
  std::size_t delivered = 0;
  const auto client = make_client(RD_KAFKA_PRODUCER, properties.get(), [&](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_opaque(conf, &delivered);
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++*static_cast<std::size_t*>(opaque);
    });
  });
  const Topic topic(rd_kafka_topic_new(client.get(), bench.topic.c_str(), nullptr));
  return measure(bench.count, [&] {
    for (std::size_t i = 0; i < bench.count; ++i) {
      const auto& reading = readings[i];
      while (rd_kafka_producev(client.get(), RD_KAFKA_V_RKT(topic.get()), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
                               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                               RD_KAFKA_V_VALUE(const_cast<char*>(values[i].data()), values[i].size()),
                               RD_KAFKA_V_KEY(reading.customer_id, hb::customer_id(reading).size()),
                               RD_KAFKA_V_TIMESTAMP(reading.received_us / 1000),
                               RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(client.get(), 10);
      }
      if (i % 1024 == 0) rd_kafka_poll(client.get(), 0);
    }
    while (delivered < bench.count) rd_kafka_flush(client.get(), 100);
  });
}

KafkaSource::Config source_config(const Bench& bench) {
  KafkaSource::Config config;
  config.brokers = bench.brokers;
  config.topics = {bench.topic};
  config.group_id = "bench-" + std::to_string(getpid());
  return config;
}

// From the first reading on: joining the group is no matter of speed.
Result source_round(const Bench& bench) {
  TestHost host;
  host.keep_readings = false;
  host.ack_at_once(true);
  std::uint64_t first = 0;
  Clock::time_point begin;
  double cpu = 0;
  host.after_emit = [&](TestHost& self) {
    if (first == 0) {
      first = self.emitted();
      begin = Clock::now();
      cpu = cpu_seconds();
    }
    if (self.emitted() >= bench.count) self.stop();
  };
  KafkaSource source(source_config(bench), host.host());
  source.open();
  source.run();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto count = static_cast<double>(host.emitted() - first);
  const Result result{count / seconds / 1e3, (cpu_seconds() - cpu) / count * 1e6, 0};
  source.close();
  return result;
}

// The same records taken with the client's own defaults and thrown away.
Result consumer_round(const Bench& bench) {
  const auto config = source_config(bench);
  Properties properties;
  properties.set("bootstrap.servers", bench.brokers);
  properties.set("group.id", config.group_id);
  properties.set("auto.offset.reset", "earliest");
  const auto client = make_client(RD_KAFKA_CONSUMER, properties.get(), [](rd_kafka_conf_t*) {});
  rd_kafka_poll_set_consumer(client.get());
  const PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), bench.topic.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(client.get(), list.get());
  const Queue queue(rd_kafka_queue_get_consumer(client.get()));
  std::vector<rd_kafka_message_t*> messages(4096);
  std::size_t taken = 0;
  std::size_t first = 0;
  Clock::time_point begin;
  double cpu = 0;
  while (taken < bench.count) {
    const auto got = rd_kafka_consume_batch_queue(queue.get(), 100, messages.data(), messages.size());
    if (got > 0 && first == 0) {
      first = static_cast<std::size_t>(got);
      begin = Clock::now();
      cpu = cpu_seconds();
    }
    for (std::ptrdiff_t i = 0; i < got; ++i) rd_kafka_message_destroy(messages[static_cast<std::size_t>(i)]);
    taken += static_cast<std::size_t>(std::max<std::ptrdiff_t>(got, 0));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto count = static_cast<double>(taken - first);
  const Result result{count / seconds / 1e3, (cpu_seconds() - cpu) / count * 1e6, 0};
  rd_kafka_consumer_close(client.get());
  return result;
}

Result median(std::vector<Result> results) {
  std::sort(results.begin(), results.end(), [](const Result& a, const Result& b) { return a.rate < b.rate; });
  return results[results.size() / 2];
}

// Two ways in turn, so that a noisy neighbour hits both.
template <class Ours, class Theirs>
void compare(int rounds, const char* ours, const Ours& our_round, const char* theirs, const Theirs& their_round) {
  std::vector<Result> first;
  std::vector<Result> second;
  for (int i = 0; i < rounds; ++i) {
    first.push_back(in_child(our_round));
    second.push_back(in_child(their_round));
  }
  for (const auto& [name, result] : {std::pair{ours, median(first)}, std::pair{theirs, median(second)}}) {
    std::printf("%-15s %7.0f k/s   %5.2f CPU s per M   %6.1f MB peak\n", name, result.rate, result.cpu_per_million,
                result.peak_mb);
  }
  std::printf("%-15s %7.2f of the rate\n", "", median(first).rate / median(second).rate);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: bench_kafka BROKERS [READINGS] [ROUNDS] [BATCH]\n"), 2;
  const auto number = [&](int index, std::size_t otherwise) {
    return argc > index ? std::stoul(argv[index]) : otherwise;
  };
  const Bench bench{argv[1], number(2, 1'000'000), number(4, KafkaSink::batch_size),
                    "bench-" + std::to_string(getpid())};
  const int rounds = static_cast<int>(number(3, 5));
  compare(
      rounds, "sink", [&] { return sink_round(bench); }, "producer loop", [&] { return producer_round(bench); });
  compare(
      rounds, "source", [&] { return source_round(bench); }, "consumer loop", [&] { return consumer_round(bench); });
}
