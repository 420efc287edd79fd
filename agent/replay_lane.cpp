#include "replay_lane.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reading_json.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kSpareForOne = 64;  // room for what processors add to one reading

std::int64_t received_us(const StoredLetter& letter) {
  return letter.received_us != 0 ? letter.received_us : letter.time_us;
}

}  // namespace

class JournalLane::Refused final : public DeadLetterBox {
 public:
  bool append(const DeadLetter& letter, std::string&) override {
    all.push_back({std::string(letter.instance), std::string(letter.reason), std::string(letter.detail),
                   std::string(letter.payload), std::nullopt, letter.received_us});
    return true;
  }
  std::vector<ReplayedLetter::Refusal> all;
};

JournalLane::JournalLane(const ReplaySite& site, std::string source)
    : site_(site),
      source_(std::move(source)),
      index_(site.journal.add_source(source_)),
      refused_(std::make_unique<Refused>()) {}

JournalLane::~JournalLane() {
  site_.journal.stop_source(index_);
  site_.journal.release_source(index_);
  site_.journal.remove_source(index_);
}

std::string JournalLane::stopped_why() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void JournalLane::stop(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_.empty()) stopped_ = why;
    for (const auto& [first, chain] : chains_) chain->request_stop();
  }
  site_.journal.stop_source(index_);
  site_.journal.release_source(index_);
}

void JournalLane::take(StoredLetter letter) {
  ReplayedLetter result;
  result.letter = std::move(letter);
  result.left_why = stopped_why();
  SourceTerms terms;
  if (result.left_why.empty()) {
    const Refuser refuser = refuser_of(result.letter);
    const std::string& reason = result.letter.reason;
    if (refuser.kind == "source") {
      decode(result, terms);
    } else if (const auto reading = reading_from_json(result.letter.payload); !reading) {
      result.left_why = fmt::format("its payload is no reading that can be taken back ({})", reason);
    } else {
      const auto found = std::find_if(site_.config->processors.begin(), site_.config->processors.end(),
                                      [&](const auto& each) { return each.name() == refuser.name; });
      hb_reading again = *reading;
      again.received_us = received_us(result.letter);
      terms.received = 1;
      if (found == site_.config->processors.end()) {
        result.left_why = fmt::format("the configuration has no processor \"{}\", which refused it", refuser.name);
      } else {
        process(again, static_cast<std::size_t>(found - site_.config->processors.begin()), result, terms);
      }
    }
  }
  if (result.left_why.empty()) {
    readings_.insert(readings_.end(), result.journaled.begin(), result.journaled.end());
    terms_ += terms;
  } else {
    result.refusals.clear();
    result.journaled.clear();
  }
  taken_.push_back(std::move(result));
}

bool JournalLane::make_decoder(std::string& why) {
  if (decoder_ == nullptr && no_decoder_.empty()) {
    const auto config = std::find_if(site_.config->sources.begin(), site_.config->sources.end(),
                                     [&](const auto& each) { return each.name() == source_; });
    if (config == site_.config->sources.end()) {
      no_decoder_ = fmt::format("the configuration has no source \"{}\", whose bytes it holds", source_);
    } else {
      decoder_ = std::make_unique<PayloadDecoder>(*config, site_.logger);
      if (!decoder_->create(no_decoder_)) decoder_.reset();
    }
  }
  why = no_decoder_;
  return decoder_ != nullptr;
}

bool JournalLane::decode(ReplayedLetter& result, SourceTerms& terms) {
  if (!make_decoder(result.left_why)) return false;
  const StoredLetter& letter = result.letter;
  std::vector<DecodedPart> parts;
  // Where it becomes a reading's time no two may have the same.
  last_received_us_ = std::max(received_us(letter), last_received_us_ + 1);
  const PayloadInput input{letter.payload, letter.key, letter.origin, {}, last_received_us_, false};
  if (std::string error; decoder_->decode(input, parts, error) != HB_OK) {
    result.left_why = letter.instance + ": " + error;
    return false;
  }
  for (DecodedPart& part : parts) {
    ++terms.received;
    if (part.verdict == 0) last_received_us_ = std::max(last_received_us_, part.reading.received_us);
    if (part.verdict == HB_VERDICT_DISCARD) {
      add(terms.discarded, part.reason, 1);
    } else if (part.verdict == HB_VERDICT_REJECT) {
      add(terms.dead_lettered, part.reason, 1);
      result.refusals.push_back({letter.instance, part.reason, part.detail, part.bytes, letter.key, 0});
    } else if (!process(part.reading, 0, result, terms)) {
      return false;
    }
  }
  return true;
}

bool JournalLane::process(const hb_reading& reading, std::size_t first_processor, ReplayedLetter& result,
                          SourceTerms& terms) {
  if (site_.config->processors.size() == first_processor) {
    result.journaled.push_back(reading);
    return true;
  }
  ProcessorChain* const processors = chain(first_processor, result.left_why);
  if (processors == nullptr) return false;
  buffer_.resize(1 + kSpareForOne);
  buffer_[0] = reading;
  refused_->all.clear();
  bool failed = false;
  const std::int64_t kept = processors->process(buffer_, 1, terms, failed);
  if (kept < 0) {
    result.left_why = stopped_why();
    if (result.left_why.empty()) result.left_why = "a processor failed; the log says why";
    return false;
  }
  result.journaled.insert(result.journaled.end(), buffer_.begin(), buffer_.begin() + kept);
  std::move(refused_->all.begin(), refused_->all.end(), std::back_inserter(result.refusals));
  return true;
}

// Instances of its own without a state folder: what is replayed is no part of what they see now, and leaves no trace.
ProcessorChain* JournalLane::chain(std::size_t first_processor, std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = chains_.find(first_processor); found != chains_.end()) return found->second.get();
    if (!stopped_.empty()) {
      why = stopped_;
      return nullptr;
    }
  }
  auto made = std::make_unique<ProcessorChain>(std::span(site_.config->processors).subspan(first_processor), source_,
                                               site_.logger, *refused_, std::filesystem::path());
  if (!made->create(why)) return nullptr;
  if (made->open(why) != HB_OK) return nullptr;
  const std::lock_guard lock(mutex_);
  if (!stopped_.empty()) made->request_stop();
  return chains_.emplace(first_processor, std::move(made)).first->second.get();
}

// In slices, as sources append. Only the last makes the new token safe; each one's own terms balance.
bool JournalLane::append() {
  std::span<const hb_reading> left(readings_);
  for (; left.size() > kSliceReadings; left = left.subspan(kSliceReadings)) {
    SourceTerms slice;
    slice.received = std::min<std::uint64_t>(kSliceReadings, terms_.received);
    slice.added = kSliceReadings - slice.received;
    terms_.received -= slice.received;
    terms_.added -= slice.added;
    if (site_.journal.append(index_, left.first(kSliceReadings), token_, slice) != AppendResult::appended) return false;
  }
  return site_.journal.append(index_, left, token_ + 1, std::move(terms_)) == AppendResult::appended;
}

std::vector<ReplayedLetter> JournalLane::settle() {
  terms_.refused_again = total(terms_.dead_lettered);
  const bool appended = append();
  if (appended) site_.journal.wait_acked(index_, ++token_, Journal::Clock::time_point::max());
  const bool safe = appended && site_.journal.acked(index_) >= token_;
  readings_.clear();
  terms_ = {};
  std::vector<ReplayedLetter> letters = std::exchange(taken_, {});
  if (safe) return letters;
  for (ReplayedLetter& letter : letters) {
    if (letter.left_why.empty()) letter.left_why = stopped_why();
  }
  return letters;
}

}  // namespace hbagent
