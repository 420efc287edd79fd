// One line of tests/data/payloads.jsonl.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct Expected {
  std::string reason;  // empty: a reading is expected
  std::string customer_id;
  std::optional<std::string> time;  // as text, UTC; none: the receive time
  double heart_rate = 0;
};

struct PayloadCase {
  std::string id, decoder, topic_template, topic, payload;
  nlohmann::json mapping;  // `config` without the topic's template
  std::string received_at;
  bool retained = false;
  std::vector<Expected> expected;
};

// Every case of the file. Throws where a line is not one.
std::vector<PayloadCase> read_payload_cases(const std::string& path);
