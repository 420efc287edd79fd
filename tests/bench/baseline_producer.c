/* The least that librdkafka needs to produce ready-made records: the baseline of the Kafka sink.
 *
 *   bench_baseline_producer TOPIC FILE PROPERTY=VALUE...
 *
 * FILE holds one value a line, as the sink writes it; the key is the text of its member customer_id. All of it is read
 * before the clock starts. The clock stops when the broker has confirmed every record. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"

struct record {
  const char* value;
  size_t value_size;
  const char* key;
  size_t key_size;
};

static size_t confirmed = 0;

static void fail(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static char* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) fail(path, "cannot be opened");
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char* text = malloc(*size + 1);
  if (text == NULL || fread(text, 1, *size, file) != *size) fail(path, "cannot be read");
  text[*size] = '\0';
  fclose(file);
  return text;
}

static struct record* split(char* text, size_t size, size_t* count) {
  static const char member[] = "\"customer_id\":\"";
  size_t capacity = 0;
  struct record* records = NULL;
  *count = 0;
  for (char* line = text; line < text + size;) {
    char* end = memchr(line, '\n', (size_t)(text + size - line));
    if (end == NULL) fail("the file", "does not end in a line break");
    *end = '\0';
    const char* key = strstr(line, member);
    if (key == NULL) fail("a line has no customer_id", line);
    key += sizeof member - 1;
    if (*count == capacity) {
      capacity = capacity == 0 ? 65536 : 2 * capacity;
      records = realloc(records, capacity * sizeof *records);
      if (records == NULL) fail("out of memory", "records");
    }
    records[(*count)++] = (struct record){line, (size_t)(end - line), key, strcspn(key, "\"")};
    line = end + 1;
  }
  return records;
}

static void on_delivery(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque) {
  (void)client;
  (void)opaque;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail("a record was not delivered", rd_kafka_err2str(message->err));
  ++confirmed;
}

static rd_kafka_t* make_client(int count, char** properties) {
  char why[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (int i = 0; i < count; ++i) {
    char* equals = strchr(properties[i], '=');
    if (equals == NULL) fail(properties[i], "is no PROPERTY=VALUE");
    *equals = '\0';
    if (rd_kafka_conf_set(conf, properties[i], equals + 1, why, sizeof why) != RD_KAFKA_CONF_OK) {
      fail(properties[i], why);
    }
  }
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (client == NULL) fail("rd_kafka_new", why);
  return client;
}

int main(int argc, char** argv) {
  if (argc < 4) fail("usage", "bench_baseline_producer TOPIC FILE PROPERTY=VALUE...");
  size_t size = 0;
  size_t count = 0;
  char* text = read_file(argv[2], &size);
  struct record* records = split(text, size, &count);

  const double wall = wall_seconds();
  const double cpu = cpu_seconds();
  rd_kafka_t* client = make_client(argc - 3, argv + 3);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, argv[1], NULL);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t timestamp = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  for (size_t i = 0; i < count; ++i) {
    const struct record* record = &records[i];
    for (;;) {
      const rd_kafka_resp_err_t answer =
          rd_kafka_producev(client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key, record->key_size),
                            RD_KAFKA_V_VALUE((void*)(uintptr_t)record->value, record->value_size),
                            RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_END);
      if (answer == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (answer != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("rd_kafka_producev", rd_kafka_err2str(answer));
      rd_kafka_poll(client, 10);
    }
    if (i % 1024 == 0) rd_kafka_poll(client, 0);
  }
  while (confirmed < count) rd_kafka_flush(client, 100);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(client);
  printf("{\"records\": %zu, \"bytes\": %zu, \"wall_seconds\": %.6f, \"cpu_seconds\": %.6f}\n", count, size,
         wall_seconds() - wall, cpu_seconds() - cpu);
  free(records);
  free(text);
  return 0;
}
