#include "mapped_lines.hpp"

namespace hb::file {

MappedLines::MappedLines(const codec::Mapping& mapping, const codec::DecoderSettings& settings, std::string fixed_id,
                         bool skip_first)
    : decoder_(mapping, settings),
      fixed_id_(std::move(fixed_id)),
      skip_first_(skip_first),
      elements_(mapping.decoder != codec::DecoderKind::csv && decoder_.has_elements()) {}

void MappedLines::header(std::string_view line) {
  if (!decoder_.needs_header()) return;
  if (const codec::Outcome used = decoder_.use_header(line); !used.ok()) throw BadFile(used.detail);
}

void MappedLines::decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
                         std::vector<Problem>& problems) {
  const codec::Payload payload{.bytes = line, .context_id = fixed_id_, .received_us = received_us};
  decoder_.decode(payload, decoded_);
  const std::size_t before = problems.size();
  sort(readings, problems);
  if (!elements_) return;
  for (std::size_t i = before; i < problems.size(); ++i) {
    Problem& problem = problems[i];
    const bool whole = problem.bytes.size() == line.size();
    if (!whole && fixed_id_.empty()) problem.context_id = decoder_.context_of(decoded_[problem.element - 1], payload);
    if (whole) problem.element = 0;
  }
}

void MappedLines::decode_element(std::string_view bytes, std::string_view context_id, std::int64_t received_us,
                                 std::vector<Reading>& readings, std::vector<Problem>& problems) {
  const std::string_view context = fixed_id_.empty() ? context_id : std::string_view(fixed_id_);
  decoder_.decode_element({.bytes = bytes, .context_id = context, .received_us = received_us}, decoded_);
  sort(readings, problems);
}

void MappedLines::sort(std::vector<Reading>& readings, std::vector<Problem>& problems) const {
  const std::size_t first = readings.size();
  for (std::size_t i = 0; i < decoded_.size(); ++i) {
    const codec::Decoded& decoded = decoded_[i];
    const std::size_t element = elements_ ? i + 1 : 0;
    if (!decoded.outcome.ok()) {
      problems.push_back({decoded.outcome, decoded.element, readings.size() - first, element});
    } else {
      readings.push_back(decoded.reading);
    }
  }
}

}  // namespace hb::file
