// Where a dead letter goes when it is replayed: to the journal by way of its source's processors, or to one sink.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "config.hpp"
#include "dead_letters.hpp"
#include "journal/journal.hpp"
#include "log.hpp"
#include "payload_decoder.hpp"
#include "processor_chain.hpp"
#include "sink_runner.hpp"

namespace hbagent {

// What a replay works with; all of it outlives the replay.
struct ReplaySite {
  Journal& journal;
  DeadLetters& dead_letters;
  Logger& logger;
  std::shared_ptr<const Config> config;
  std::function<SinkRunner*(const std::string& name)> sink;  // null: there is none of that name
};

// What became of one letter.
struct ReplayedLetter {
  struct Refusal {
    std::string instance, reason, detail, payload;
    std::optional<std::string> key;
    std::int64_t received_us = 0;
  };
  StoredLetter letter;
  std::string left_why;               // not empty: it could not be replayed, and nothing came of it
  std::vector<Refusal> refusals;      // of all of it, or of parts
  std::vector<hb_reading> journaled;  // what came of it, safe by now
};

// Used by one thread, but for stop.
class ReplayLane {
 public:
  virtual ~ReplayLane() = default;

  // Takes a letter; what becomes of it is told by settle.
  virtual void take(StoredLetter letter) = 0;
  // How many letters wait for settle.
  virtual std::size_t waiting() const = 0;
  // Brings everything that was taken to its end, one entry a letter. Blocks; stop frees it.
  virtual std::vector<ReplayedLetter> settle() = 0;
  // Nothing more goes this way: what is on it, and what comes, is left, for that reason. [any thread]
  virtual void stop(const std::string& why) = 0;
};

// For letters of one source and of its processors.
class JournalLane final : public ReplayLane {
 public:
  JournalLane(const ReplaySite& site, std::string source);
  ~JournalLane() override;
  JournalLane(const JournalLane&) = delete;
  JournalLane& operator=(const JournalLane&) = delete;

  void take(StoredLetter letter) override;
  std::size_t waiting() const override { return taken_.size(); }
  std::vector<ReplayedLetter> settle() override;
  void stop(const std::string& why) override;

 private:
  class Refused;  // keeps what the processors refuse

  // Fill `result` and `terms`; false: `result` says why it is left.
  bool decode(ReplayedLetter& result, SourceTerms& terms);
  bool process(const hb_reading& reading, std::size_t first_processor, ReplayedLetter& result, SourceTerms& terms);
  bool make_decoder(std::string& why);
  // The source's processors from that one on; null: `why` says why they cannot run.
  ProcessorChain* chain(std::size_t first_processor, std::string& why);
  bool append();  // what was taken; false: the lane was stopped
  std::string stopped_why() const;

  const ReplaySite& site_;
  const std::string source_;
  const std::size_t index_;  // in the journal
  std::uint64_t token_ = 0;
  const std::unique_ptr<Refused> refused_;
  std::unique_ptr<PayloadDecoder> decoder_;
  std::string no_decoder_;
  std::int64_t last_received_us_ = 0;  // of a decoded reading
  std::vector<hb_reading> buffer_;
  std::vector<ReplayedLetter> taken_;
  std::vector<hb_reading> readings_;  // of those taken
  SourceTerms terms_;

  mutable std::mutex mutex_;
  std::map<std::size_t, std::unique_ptr<ProcessorChain>> chains_;  // by the first processor
  std::string stopped_;                                            // why; empty: it goes on
};

// For letters that one sink refused.
class SinkLane final : public ReplayLane {
 public:
  explicit SinkLane(SinkRunner& sink) : sink_(sink) {}

  void take(StoredLetter letter) override;
  std::size_t waiting() const override { return taken_.size(); }
  std::vector<ReplayedLetter> settle() override;
  void stop(const std::string& why) override;

 private:
  bool take_verdicts(const std::vector<Verdict>& verdicts, std::size_t count, std::vector<ReplayedLetter*>& open);
  std::string why_left(const std::string& error);

  SinkRunner& sink_;
  std::vector<ReplayedLetter> taken_;
  std::vector<hb_reading> readings_;  // one for each of those taken that is not left
  std::stop_source stop_;
  std::mutex mutex_;
  std::string stopped_;
};

}  // namespace hbagent
