// Payloads through a source's decoding and its processors as a pipeline has them, without the pipeline: to try a
// configuration out.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "payload_decoder.hpp"
#include "processor_chain.hpp"

namespace hbagent {

// Instances of its own, without a state folder; the source is never opened. Each payload is decoded as if it were the
// only one; a processor that remembers readings remembers those of all payloads. One thread.
class PayloadTrial final : private ProcessorWatch {
 public:
  // A processor that asks to retry for so long is given up.
  static constexpr std::chrono::seconds kPatience{10};

  // What the configurations and the logger belong to outlives it.
  PayloadTrial(const InstanceConfig& source, std::span<const InstanceConfig> processors, Logger& logger,
               std::chrono::milliseconds patience = kPatience);
  PayloadTrial(const PayloadTrial&) = delete;
  PayloadTrial& operator=(const PayloadTrial&) = delete;

  // First of all. False: `error` says what cannot be used, and why.
  bool create(std::string& error);
  // Where in the file what create found wrong is to be mended.
  Place place_of_error(const std::string& error) const;
  // After create. False: `error` says which processor cannot be opened, and why.
  bool open(std::string& error);
  // The readings that would be journaled, and in their places, in message order, the parts and readings that were
  // refused or removed. False: `error` says why it could not be run.
  bool run(const PayloadInput& input, std::vector<DecodedPart>& parts, std::string& error);

 private:
  // Where it is refused is what `processed` hears of.
  struct NoLetters final : DeadLetterBox {
    bool append(const DeadLetter&, std::string&) override { return true; }
  };

  void processed(std::size_t count, const std::vector<Verdict>& verdicts) override;
  bool failed(const Instance& processor, const std::string& error) override;
  bool process(std::string& error);

  const std::string source_;  // before its errors
  const std::chrono::milliseconds patience_;
  NoLetters no_letters_;
  PayloadDecoder decoder_;
  ProcessorChain processors_;

  // Of the slice that is being processed.
  std::vector<DecodedPart> slice_;
  std::vector<std::size_t> kept_;  // which of its parts the processors still have, in the order of their batch
  std::vector<hb_reading> buffer_;
  std::chrono::steady_clock::time_point begun_;
  std::string failure_;
};

}  // namespace hbagent
