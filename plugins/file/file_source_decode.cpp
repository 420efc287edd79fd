// How the source `file` decodes lines that do not come from a file: a dead letter, or what is tried out.
#include <hbcommon/decode_output.hpp>

#include "decoders.hpp"
#include "file_source.hpp"
#include "origin.hpp"

#include <utility>

namespace hb::file {
namespace {

// Takes the header from the file's first line.
std::unique_ptr<LineDecoder> with_header(std::unique_ptr<LineDecoder> decoder, const std::string& path,
                                         std::size_t max_line) {
  if (!decoder->has_header()) return decoder;
  const std::string what = "the header of " + path;
  if (path == "-") throw Failed("the header came by standard input and is gone");
  try {
    Input input(path, {max_line, max_line, 0});
    if (input.is_stream()) throw Failed(what + " came by a stream and is gone");
    Mark behind_header;
    behind_header.offset = 1;
    input.begin(behind_header, std::move(decoder));
    return input.take_decoder();
  } catch (const BadFile& bad) {
    throw Retry("cannot read " + what + ": " + bad.what());
  }
}

// The first line, without its end, which goes from `left` too.
std::string_view take_line(std::string_view& left) {
  const std::size_t end = left.find('\n');
  std::string_view line = left.substr(0, end);
  left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// In the order in which they lie in their line.
void hand_out(const std::vector<Reading>& readings, const std::vector<Problem>& problems, const DecodeOutput& output) {
  std::size_t told = 0;
  const auto tell_readings = [&](std::size_t up_to) {
    for (; told < up_to; ++told) output.reading(readings[told]);
  };
  for (const Problem& problem : problems) {
    tell_readings(problem.readings_before);
    codec::refuse(problem.outcome, problem.bytes, output);
  }
  tell_readings(readings.size());
}

}  // namespace

LineDecoder& FileSource::decoder_for(const std::string& path) {
  if (decoder_ != nullptr && decode_path_ == path) return *decoder_;
  const auto file = template_.at(path);
  if (!file) throw Failed(path + " is none of the files that path = \"" + template_.text() + "\" finds");
  try {
    decoder_ = with_header(make_decoder(config_, *file), path, config_.max_line.value);
  } catch (const BadFile& bad) {
    throw Failed(path + ": " + bad.what());
  }
  decode_path_ = path;
  return *decoder_;
}

void FileSource::decode(const DecodeInput& input, const DecodeOutput& output) {
  const auto origin = Origin::parse(input.origin);
  if (input.topic.empty() && !origin && template_.is_pattern()) {
    throw Failed("path finds many files: say which one the line is to be taken to come from");
  }
  LineDecoder& decoder = decoder_for(!input.topic.empty() ? std::string(input.topic)
                                     : origin             ? origin->path
                                                          : template_.text());
  const bool element = origin && origin->element > 0;
  std::int64_t received_us = input.received_us;
  std::vector<Reading> readings;
  std::vector<Problem> problems;
  for (std::string_view left = input.payload; !left.empty();) {
    const std::string_view line = element ? std::exchange(left, {}) : take_line(left);
    readings.clear();
    problems.clear();
    if (line.size() > config_.max_line.value) {
      problems.push_back({{codec::Reason::too_large, "the line is longer than max_line"}, line});
    } else if (element) {
      decoder.decode_element(line, input.key, received_us, readings, problems);
    } else if (!is_blank(line)) {
      decoder.decode(line, received_us, readings, problems);
    }
    if (!readings.empty()) received_us = readings.back().received_us + 1;
    hand_out(readings, problems, output);
  }
}

}  // namespace hb::file
