#include "mapped_lines.hpp"

namespace hb::file {

MappedLines::MappedLines(const codec::Mapping& mapping, const codec::DecoderSettings& settings, std::string fixed_id,
                         bool skip_first)
    : decoder_(mapping, settings), fixed_id_(std::move(fixed_id)), skip_first_(skip_first) {}

void MappedLines::header(std::string_view line) {
  if (!decoder_.needs_header()) return;
  if (const codec::Outcome used = decoder_.use_header(line); !used.ok()) throw BadFile(used.detail);
}

void MappedLines::decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
                         std::vector<Problem>& problems) {
  decoder_.decode({.bytes = line, .context_id = fixed_id_, .received_us = received_us}, decoded_);
  for (const codec::Decoded& decoded : decoded_) {
    if (!decoded.outcome.ok()) {
      problems.push_back({decoded.outcome, decoded.element});
    } else if (decoded.reading.heart_rate == 0) {
      problems.push_back({{codec::Reason::zero_bpm, "a heart rate of 0"}, decoded.element});
    } else {
      readings.push_back(decoded.reading);
    }
  }
}

}  // namespace hb::file
