// One payload through a source's decoding, without a connection: for replayed dead letters, and to try a mapping out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "instance.hpp"

namespace hbagent {

struct PayloadInput {
  std::string_view payload;
  std::optional<std::string> key;  // of the record that held it
  std::string origin;              // of the dead letter that it was; empty: it was none
  std::string topic;               // a topic or a file; empty: the origin says it
  std::int64_t received_us = 0;
  bool retained = false;
};

// What came of a part of it.
struct DecodedPart {
  std::int32_t verdict = 0;  // HB_VERDICT_REJECT, HB_VERDICT_DISCARD; 0: a reading
  hb_reading reading{};
  std::string reason, detail, bytes;  // of a refused part
};

// An instance of the source of its own, which is never opened. One thread.
class PayloadDecoder {
 public:
  // `source` and the logger outlive it.
  PayloadDecoder(const InstanceConfig& source, Logger& logger) : instance_(HB_SOURCE, source, logger, {}, nullptr) {}
  const InstanceConfig& config() const { return instance_.config(); }

  // First of all. False: `error` says why this source can decode nothing.
  bool create(std::string& error);
  // HB_OK, and all parts in their order, where a reading without a sound customer id is a refused one; else `error`
  // says why not, and HB_RETRY that something is missing that may come back.
  std::int32_t decode(const PayloadInput& input, std::vector<DecodedPart>& parts, std::string& error);

 private:
  Instance instance_;
  hb_decoder decoder_{};
};

}  // namespace hbagent
