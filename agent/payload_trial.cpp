#include "payload_trial.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "journal/journal.hpp"

namespace hbagent {

PayloadTrial::PayloadTrial(const InstanceConfig& source, std::span<const InstanceConfig> processors, Logger& logger,
                           std::chrono::milliseconds patience)
    : source_("source/" + source.name() + ": "),
      patience_(patience),
      decoder_(source, logger),
      processors_(processors, source.name(), logger, no_letters_, {}) {
  processors_.set_watch(*this);
}

bool PayloadTrial::create(std::string& error) {
  if (decoder_.create(error)) return processors_.create(error);
  error.insert(0, source_);
  return false;
}

Place PayloadTrial::place_of_error(const std::string& error) const {
  const bool is_the_sources = error.starts_with(source_);
  return processors_.place_of_error(
      error, decoder_.config().place_of_error(is_the_sources ? error.substr(source_.size()) : ""));
}

bool PayloadTrial::open(std::string& error) {
  return processors_.open(error) == HB_OK;
}

bool PayloadTrial::run(const PayloadInput& input, std::vector<DecodedPart>& parts, std::string& error) {
  if (decoder_.decode(input, parts, error) != HB_OK) {
    error.insert(0, source_);
    return false;
  }
  if (processors_.empty()) return true;
  // In slices, as a source's emit goes to its processors.
  std::vector<DecodedPart> decoded;
  decoded.swap(parts);
  for (auto next = decoded.begin(); next != decoded.end();) {
    slice_.clear();
    kept_.clear();
    for (; next != decoded.end() && kept_.size() < kSliceReadings; ++next) {
      if (next->verdict == 0) kept_.push_back(slice_.size());
      slice_.push_back(std::move(*next));
    }
    if (!kept_.empty() && !process(error)) return false;
    std::move(slice_.begin(), slice_.end(), std::back_inserter(parts));
  }
  return true;
}

bool PayloadTrial::process(std::string& error) {
  buffer_.resize(kSliceReadings + kSpareReadings);
  std::transform(kept_.begin(), kept_.end(), buffer_.begin(), [&](std::size_t part) { return slice_[part].reading; });
  begun_ = std::chrono::steady_clock::now();
  failure_.clear();
  SourceTerms terms;
  bool failed = false;
  if (processors_.process(buffer_, kept_.size(), terms, failed) < 0) {
    error = failure_;
    return false;
  }
  for (std::size_t i = 0; i < kept_.size(); ++i) slice_[kept_[i]].reading = buffer_[i];
  return true;
}

void PayloadTrial::processed(std::size_t count, const std::vector<Verdict>& verdicts) {
  while (kept_.size() < count) {
    kept_.push_back(slice_.size());
    slice_.emplace_back();
  }
  static constexpr std::size_t kGone = ~std::size_t{0};
  for (const Verdict& verdict : verdicts) {
    const std::size_t part = std::exchange(kept_[verdict.index], kGone);
    slice_[part] = {verdict.kind, {}, clean_reason(verdict.reason.c_str()), verdict.detail, {}};
  }
  if (!verdicts.empty()) std::erase(kept_, kGone);
}

bool PayloadTrial::failed(const Instance& processor, const std::string& error) {
  failure_ = processor.component() + ": " + error;
  return std::chrono::steady_clock::now() - begun_ < patience_;
}

}  // namespace hbagent
