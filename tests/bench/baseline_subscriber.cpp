// The least that Paho needs to take messages and put them into a file: the baseline of the MQTT source.
//
//   bench_baseline_subscriber SERVER CLIENT_ID FILTER QOS COUNT FILE
//
// Goes on with the persistent session of CLIENT_ID (or begins it), and writes each payload into FILE within the message
// callback, so before it is acknowledged. COUNT 0: only makes the session. Prints one line of JSON after COUNT
// messages; its clock begins before the client is made.
#include <fcntl.h>
#include <mqtt/async_client.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include "clocks.h"

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: bench_baseline_subscriber SERVER CLIENT_ID FILTER QOS COUNT FILE\n");
    return 2;
  }
  const unsigned long count = std::strtoul(argv[5], nullptr, 10);
  const int fd = open(argv[6], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    std::perror(argv[6]);
    return 1;
  }
  const double wall = wall_seconds();
  const double cpu = cpu_seconds();
  std::atomic<unsigned long> seen{0};
  std::promise<void> all;
  try {
    mqtt::async_client client(argv[1], argv[2], mqtt::create_options(MQTTVERSION_5));
    client.set_message_callback([&](const mqtt::const_message_ptr& message) {
      const auto& payload = message->get_payload_ref();
      if (write(fd, payload.data(), payload.size()) != static_cast<ssize_t>(payload.size())) std::abort();
      if (++seen == count) all.set_value();
    });
    mqtt::connect_options options;
    options.set_mqtt_version(MQTTVERSION_5);
    options.set_clean_start(false);
    options.set_properties({{mqtt::property::SESSION_EXPIRY_INTERVAL, 3600}});
    const auto connected = client.connect(options);
    connected->wait();
    if (!connected->get_connect_response().is_session_present()) client.subscribe(argv[3], std::atoi(argv[4]))->wait();
    if (count > 0) all.get_future().wait();
    std::printf("{\"messages\": %lu, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f}\n", seen.load(),
                wall_seconds() - wall, cpu_seconds() - cpu);
    client.disconnect()->wait();
  } catch (const mqtt::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[1], error.what());
    return 1;
  }
  close(fd);
  return 0;
}
