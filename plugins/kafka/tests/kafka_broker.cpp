#include "kafka_broker.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include "wait_until.hpp"

using namespace std::chrono_literals;
using namespace hb::kafka;

namespace {

const std::string kServerScript = HBAGENT_SOURCE_DIR "/deploy/lib/server.sh";

// Below the kernel's range for outgoing connections: while the broker is down no client may take its port.
int free_port() {
  static std::minstd_rand random{std::random_device{}()};
  for (;;) {
    const int port = std::uniform_int_distribution(20'000, 32'000)(random);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool is_free = bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(listener);
    if (is_free) return port;
  }
}

// Starts the script with its output appended to `log`.
pid_t start_script(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  std::vector<std::string> all{"bash", kServerScript};
  all.insert(all.end(), arguments.begin(), arguments.end());
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  setenv("HBAGENT_PARENT_DEATH_SIGNAL", "KILL", 1);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvp("bash", argv.data());
  _exit(127);
}

int wait_for_exit(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string tail(const std::string& file) {
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return text.substr(text.size() - std::min<std::size_t>(text.size(), 2000));
}

void check(rd_kafka_resp_err_t code, const std::string& what) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(what + ": " + error_text(code));
}

std::vector<std::pair<std::string, std::string>> headers_of(const rd_kafka_message_t& message) {
  std::vector<std::pair<std::string, std::string>> all;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    all.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
  return all;
}

Record record_of(const rd_kafka_message_t& message) {
  Record record;
  record.key.assign(static_cast<const char*>(message.key), message.key_len);
  if (message.payload != nullptr) record.value.emplace(static_cast<const char*>(message.payload), message.len);
  record.timestamp_ms = rd_kafka_message_timestamp(&message, nullptr);
  record.partition = message.partition;
  record.offset = message.offset;
  record.headers = headers_of(message);
  return record;
}

}  // namespace

KafkaBroker::KafkaBroker() : port_(free_port()), controller_port_(free_port()) {
  std::string pattern = std::filesystem::temp_directory_path() / "hbagent-kafka-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = pattern;
  start();
}

KafkaBroker::~KafkaBroker() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    wait_for_exit(pid_);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void KafkaBroker::start() {
  const std::string log = folder_ + "/log";
  pid_ = start_script({"kafka", "run", folder_, std::to_string(port_), std::to_string(controller_port_)}, log);
  try {
    // The first start of all may have to fetch the broker.
    wait_until("Kafka is ready", 300s, [&] {
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        throw std::runtime_error("Kafka ended at once");
      }
      return wait_for_exit(start_script({"kafka", "ready", std::to_string(port_)}, log)) == 0;
    });
  } catch (const std::runtime_error& failure) {
    throw std::runtime_error(std::string(failure.what()) + "\n" + tail(log));
  }
}

void KafkaBroker::stop() {
  kill(pid_, SIGTERM);
  wait_for_exit(pid_);
  pid_ = -1;
}

void KafkaBroker::crash() {
  kill(pid_, SIGKILL);
  wait_for_exit(pid_);
  pid_ = -1;
}

void KafkaBroker::pause() {
  kill(pid_, SIGSTOP);
}

void KafkaBroker::resume() {
  kill(pid_, SIGCONT);
}

KafkaBroker& KafkaBroker::shared() {
  static KafkaBroker broker;
  return broker;
}

Client PlainClient::client(rd_kafka_type_t type, const std::string& group) const {
  Conf conf(rd_kafka_conf_new());
  char text[512];
  std::map<std::string, std::string> settings{{"bootstrap.servers", brokers_}};
  if (type == RD_KAFKA_PRODUCER) {
    settings["partitioner"] = "murmur2_random";
  } else {
    settings["enable.partition.eof"] = "true";
    settings["enable.auto.commit"] = "false";
    settings["group.id"] = group.empty() ? "reader" : group;
  }
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error(text);
    }
  }
  Client client(rd_kafka_new(type, conf.get(), text, sizeof text));
  if (!client) throw std::runtime_error(text);
  static_cast<void>(conf.release());
  return client;
}

std::string PlainClient::new_topic(int partitions, const std::map<std::string, std::string>& settings) {
  static std::atomic<int> last{0};
  const std::string name = "test-" + std::to_string(++last);
  make_topic(name, partitions, settings);
  return name;
}

void PlainClient::make_topic(const std::string& name, int partitions,
                             const std::map<std::string, std::string>& settings) {
  const Client admin = client(RD_KAFKA_PRODUCER);
  char text[512];
  const NewTopic topic(rd_kafka_NewTopic_new(name.c_str(), partitions, 1, text, sizeof text));
  for (const auto& [setting, value] : settings) {
    check(rd_kafka_NewTopic_set_config(topic.get(), setting.c_str(), value.c_str()), setting);
  }
  const Queue answers(rd_kafka_queue_new(admin.get()));
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  rd_kafka_CreateTopics(admin.get(), topics, 1, nullptr, answers.get());
  const Event event(rd_kafka_queue_poll(answers.get(), 30'000));
  if (!event) throw std::runtime_error("no answer to the creation of " + name);
  check(rd_kafka_event_error(event.get()), "create " + name);
  std::size_t count = 0;
  const auto* const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  check(rd_kafka_topic_result_error(results[0]), "create " + name);
  wait_until("the partitions have leaders", 30s, [&] { return partition_count(admin.get(), name) == partitions; });
}

int PlainClient::partition_count(rd_kafka_t* client, const std::string& name) const {
  const Topic topic(rd_kafka_topic_new(client, name.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  check(rd_kafka_metadata(client, 0, topic.get(), &raw, 10'000), "metadata");
  const Metadata metadata(raw);
  if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
    if (metadata->topics[0].partitions[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
  }
  return metadata->topics[0].partition_cnt;
}

void PlainClient::produce(const std::string& topic, const std::vector<Record>& records) {
  const Client producer = client(RD_KAFKA_PRODUCER);
  for (const Record& record : records) {
    rd_kafka_headers_t* const headers = rd_kafka_headers_new(record.headers.size());
    for (const auto& [name, value] : record.headers) {
      rd_kafka_header_add(headers, name.c_str(), -1, value.data(), static_cast<ssize_t>(value.size()));
    }
    const bool has_value = record.value.has_value();
    check(rd_kafka_producev(producer.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
                            RD_KAFKA_V_KEY(record.key.empty() ? nullptr : record.key.data(), record.key.size()),
                            RD_KAFKA_V_VALUE(has_value ? const_cast<char*>(record.value->data()) : nullptr,
                                             has_value ? record.value->size() : 0),
                            RD_KAFKA_V_TIMESTAMP(record.timestamp_ms < 0 ? 0 : record.timestamp_ms),
                            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END),
          "produce");
  }
  check(rd_kafka_flush(producer.get(), 30'000), "flush");
}

std::vector<Record> PlainClient::read_all(const std::string& topic) {
  const Client consumer = client(RD_KAFKA_CONSUMER);
  rd_kafka_poll_set_consumer(consumer.get());
  const int partitions = partition_count(consumer.get(), topic);
  const PartitionList list(rd_kafka_topic_partition_list_new(partitions));
  rd_kafka_topic_partition_list_add_range(list.get(), topic.c_str(), 0, partitions - 1);
  for (auto& element : elements(*list)) element.offset = RD_KAFKA_OFFSET_BEGINNING;
  check(rd_kafka_assign(consumer.get(), list.get()), "assign");
  std::vector<std::vector<Record>> by_partition(static_cast<std::size_t>(partitions));
  for (int ended = 0; ended < partitions;) {
    const Message message(rd_kafka_consumer_poll(consumer.get(), 30'000));
    if (!message) throw std::runtime_error("reading " + topic + " takes too long");
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ++ended;
    } else {
      check(message->err, "read");
      by_partition[static_cast<std::size_t>(message->partition)].push_back(record_of(*message));
    }
  }
  std::vector<Record> all;
  for (auto& records : by_partition) all.insert(all.end(), records.begin(), records.end());
  return all;
}

std::vector<std::int64_t> PlainClient::committed(const std::string& group, const std::string& topic, int partitions) {
  const Client consumer = client(RD_KAFKA_CONSUMER, group);
  const PartitionList list(rd_kafka_topic_partition_list_new(partitions));
  rd_kafka_topic_partition_list_add_range(list.get(), topic.c_str(), 0, partitions - 1);
  check(rd_kafka_committed(consumer.get(), list.get(), 30'000), "committed");
  std::vector<std::int64_t> offsets;
  for (const auto& element : elements(*list)) offsets.push_back(element.offset < 0 ? -1 : element.offset);
  return offsets;
}
