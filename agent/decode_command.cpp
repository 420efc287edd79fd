// hbagent decode: payloads through a source's decoding and the processors, without an agent.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <stdexcept>

#include "byte_input.hpp"
#include "command_support.hpp"
#include "decode_case.hpp"
#include "payload_trial.hpp"
#include "reading_json.hpp"
#include "text.hpp"
#include "wall_clock.hpp"

namespace hbagent {
namespace {

// What is asked for cannot be meant.
struct WrongUse : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::vector<std::string> names_of(const std::vector<InstanceConfig>& sources) {
  std::vector<std::string> names;
  for (const InstanceConfig& source : sources) names.push_back(source.name());
  return names;
}

std::string no_such_source(const std::string& name, const std::vector<InstanceConfig>& sources) {
  const auto names = names_of(sources);
  const std::string meant = nearest(name, names);
  return fmt::format("there is no source \"{}\";{} sources: {}", one_line(name),
                     meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant), joined(names));
}

// Which source, and which file: one word alone is a source's name or, where there is only one source, the file.
struct Subject {
  const InstanceConfig& source;
  std::string file;  // "-": standard input
};
Subject subject_of(const DecodeRequest& request, const std::vector<InstanceConfig>& sources) {
  const bool with_file = request.batch.empty();
  if (!request.batch.empty() && !request.file.empty()) {
    throw WrongUse(fmt::format("--batch says where the payloads are: there is no place for \"{}\"", request.file));
  }
  const auto named = std::find_if(sources.begin(), sources.end(),
                                  [&](const InstanceConfig& each) { return each.name() == request.source; });
  if (named != sources.end()) return {*named, request.file.empty() ? "-" : request.file};
  const bool one_word = !request.source.empty() && request.file.empty();
  if (!request.source.empty() && !(one_word && with_file && sources.size() == 1)) {
    throw WrongUse(no_such_source(request.source, sources));
  }
  if (sources.size() > 1) {
    throw WrongUse("say which source the payload is for: " + joined(names_of(sources)));
  }
  if (one_word && request.source != "-" && !std::filesystem::exists(request.source)) {
    throw WrongUse(no_such_source(request.source, sources) + "; and there is no such file");
  }
  return {sources.front(), one_word ? request.source : "-"};
}

// One part of a payload as the JSON object that is printed.
std::string part_as_json(const DecodedPart& part) {
  if (part.verdict == 0) return reading_as_json(part.reading, JsonFlags::always);
  return fmt::format(R"({{"reject":{},"detail":{}}})", json_quoted(part.reason), json_quoted(part.detail));
}

int decode_one(const DecodeRequest& request, const Subject& subject, PayloadTrial& trial) {
  ByteInput in(subject.file);
  std::string payload = in.rest();
  if (request.hex) {
    auto bytes = from_hex(payload);
    if (!bytes) throw WrongUse(in.name() + " holds no hex text, two digits a byte");
    payload = std::move(*bytes);
  }
  const PayloadInput input{payload,       request.key, {}, request.topic, request.received_us.value_or(wall_clock_us()),
                           request.retain};
  std::vector<DecodedPart> parts;
  std::string error;
  if (!trial.run(input, parts, error)) throw std::runtime_error(error);
  for (const DecodedPart& part : parts) print_output("{}\n", part_as_json(part));
  return kExitDone;
}

int decode_batch(const std::string& file, PayloadTrial& trial) {
  ByteInput in(file);
  std::vector<DecodedPart> parts;
  std::string_view line;
  std::string out, error;
  for (std::uint64_t number = 1; in.next_line(line); ++number) {
    const std::string where = fmt::format("{}:{}: ", in.name(), number);
    DecodeCase each;
    try {
      each = parse_decode_case(line);
    } catch (const std::invalid_argument& wrong) {
      throw WrongUse(where + wrong.what());
    }
    const PayloadInput input{each.payload, each.key, {}, each.topic, each.received_us.value_or(wall_clock_us()),
                             each.retained};
    if (!trial.run(input, parts, error)) throw std::runtime_error(where + error);
    out = "[";
    for (const DecodedPart& part : parts) {
      if (out.size() > 1) out += ',';
      out += part_as_json(part);
    }
    print_output("{}]\n", out);
    if (!in.has_line()) flush_output();  // whoever writes the lines one by one waits for it
  }
  return kExitDone;
}

}  // namespace

int decode(const RunOptions& options, const DecodeRequest& request) {
  Problems problems(options.config.string());
  const auto config = load_shared_config(options.config, options.plugin_dirs, problems);
  if (config == nullptr) {
    print_problems(problems);
    return kExitUsage;
  }
  return guarded_command([&] {
    try {
      const Subject subject = subject_of(request, config->sources);
      Logger logger(options.log_format, LogLevel::warning);
      PayloadTrial trial(subject.source, config->processors, logger);
      std::string error;
      if (!trial.create(error)) {
        problems.add(trial.place_of_error(error), error);
        print_problems(problems);
        return kExitUsage;
      }
      if (!trial.open(error)) throw std::runtime_error(error);
      return request.batch.empty() ? decode_one(request, subject, trial) : decode_batch(request.batch, trial);
    } catch (const WrongUse& wrong) {
      print_error("hbagent: {}\n", wrong.what());
      return kExitUsage;
    }
  });
}

}  // namespace hbagent
