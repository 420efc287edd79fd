// Makes the readings of a deterministic source again, and what its processors would let through of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_set>

#include "config.hpp"
#include "instance.hpp"
#include "journal/ledger.hpp"
#include "processor_chain.hpp"
#include "reading_queue.hpp"

namespace hbagent {

struct TimeSpan {
  std::int64_t from_us = 0, until_us = 0;  // half open, microseconds since the Unix epoch
};

// The configuration of a generator that makes the readings of that span once more, as fast as it can. `count` 0: all.
InstanceConfig generator_again(const InstanceConfig& generator, const TimeSpan& span, std::uint64_t count);

// Runs on a thread of its own, with instances of its own and no state folder. `source` and `processors` outlive it.
class ExpectedReadings final : public ReadingStream, private SourcePort {
 public:
  ExpectedReadings(const InstanceConfig& source, std::span<const InstanceConfig> processors, const TimeSpan& span,
                   Logger& logger);
  ~ExpectedReadings() override;
  ExpectedReadings(const ExpectedReadings&) = delete;
  ExpectedReadings& operator=(const ExpectedReadings&) = delete;

  bool next(std::vector<hb_reading>& batch) override { return queue_.next(batch); }
  // What the processors took out. Once next has said that there are no more.
  const SourceTerms& terms() const { return terms_; }

 private:
  // Takes no letter, and lets nobody wait.
  class NoLetters final : public DeadLetterBox {
    bool append(const DeadLetter&, std::string&) override { return true; }
  };

  void thread_main();
  std::string run();  // what went wrong
  std::int32_t emit(const hb_reading* readings, std::uint32_t count, std::uint64_t token) override;
  std::int32_t hand_on(std::span<const hb_reading> readings);
  std::uint64_t acked() override { return token_; }
  std::int32_t dead_letter(const hb_dead_letter&) override { return HB_OK; }
  void discard(const std::string&, std::uint64_t) override {}

  const TimeSpan span_;
  NoLetters letters_;
  Instance instance_;
  ProcessorChain processors_;
  ReadingQueue queue_;
  SourceTerms terms_;
  std::vector<hb_reading> buffer_;
  std::string failure_;
  std::atomic<std::uint64_t> token_{0};
  std::thread thread_;
};

// The ids of all customers of a generator. Throws std::runtime_error.
std::unordered_set<std::string> customers_of(const InstanceConfig& generator, Logger& logger);

}  // namespace hbagent
