// hbagent audit --postgres URI --generator: whether the database holds exactly what the generator has made.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "audit_run.hpp"
#include "command_support.hpp"
#include "dead_letter_reader.hpp"
#include "expected_readings.hpp"
#include "gap_finder.hpp"
#include "reading_json.hpp"
#include "schema.hpp"
#include "stored_readings.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kShown = 20;
constexpr std::chrono::milliseconds kPoll{200};
// So long nothing more has come: nobody is at work behind the agent.
constexpr std::chrono::seconds kNothingMore{3};

// Readings that are in the dead letters, looked up when the first is missing.
class RefusedReadings {
 public:
  RefusedReadings(std::filesystem::path file, std::string source)
      : file_(std::move(file)), source_(std::move(source)) {}

  bool has(const hb_reading& reading) {
    if (!read_) read();
    const auto found = reasons_.find(key(reading));
    if (found == reasons_.end()) return false;
    add(excused_, found->second, 1);
    return true;
  }
  const CountByReason& excused() const { return excused_; }

 private:
  using Key = std::pair<std::int64_t, std::string>;
  static Key key(const hb_reading& reading) {
    return {reading.time_us, std::string(reading.customer_id, strnlen(reading.customer_id, HB_CUSTOMER_ID_CAPACITY))};
  }
  void read() {
    read_ = true;
    DeadLetterReader letters(file_);
    for (StoredLetter letter; letters.next(letter);) {
      if (letter.source != source_) continue;
      if (const auto reading = reading_from_json(letter.payload)) reasons_[key(*reading)] = letter.reason;
    }
  }

  const std::filesystem::path file_;
  const std::string source_;
  bool read_ = false;
  std::map<Key, std::string> reasons_;
  CountByReason excused_;
};

struct Outcome {
  Findings findings;
  CountByReason removed, refused, excused;  // by a processor; by one, to the dead letters; what is found in those
};

// One generator and the store.
class GeneratorAudit {
 public:
  GeneratorAudit(const Config& config, const InstanceConfig& generator, const InstanceConfig& sink,
                 const StoredAudit& asked, const TimeSpan& span, Logger& logger)
      : config_(config),
        generator_(generator),
        sink_(sink),
        asked_(asked),
        span_(span),
        logger_(logger),
        customers_(customers_of(generator, logger)) {}

  Outcome compare() const {
    Outcome outcome;
    const InstanceConfig again = generator_again(generator_, span_, 0);
    RefusedReadings refused(std::filesystem::path(config_.agent.data_dir) / "dead-letters.jsonl", generator_.name());
    ExpectedReadings expected(again, config_.processors, span_, logger_);
    StoredReadings stored(sink_, asked_.table, span_, logger_);
    GapFinder finder({asked_.all ? std::numeric_limits<std::size_t>::max() : kShown,
                      [this](std::string_view customer) { return customers_.contains(std::string(customer)); },
                      [&](const hb_reading& reading) { return refused.has(reading); }});
    outcome.findings = finder.compare(expected, stored);
    outcome.removed = expected.terms().removed;
    outcome.refused = expected.terms().dead_lettered;
    outcome.excused = refused.excused();
    return outcome;
  }

  // Again while more of it comes.
  Outcome compare_until(Clock::time_point deadline) const {
    Outcome outcome = compare();
    auto last_news = Clock::now();
    while (outcome.findings.missing > 0 && Clock::now() < deadline && Clock::now() - last_news < kNothingMore) {
      std::this_thread::sleep_for(kPoll);
      Outcome next = compare();
      if (next.findings.missing != outcome.findings.missing) last_news = Clock::now();
      outcome = std::move(next);
    }
    return outcome;
  }

 private:
  const Config& config_;
  const InstanceConfig& generator_;
  const InstanceConfig& sink_;
  const StoredAudit& asked_;
  const TimeSpan span_;
  Logger& logger_;
  const std::unordered_set<std::string> customers_;
};

std::int64_t gauge_us(const AuditedRun& run, const RunFigures::Source& source, const char* gauge) {
  const auto found = source.gauges.find(gauge);
  if (found == source.gauges.end()) {
    throw std::runtime_error(
        fmt::format("source {} {}: give --since and --until for what others have stored", source.name,
                    run.running ? "has not begun yet" : "had not begun when the last figures were kept"));
  }
  return std::llround(found->second * 1e6);
}

// What the generator says it has handed on, narrowed to what is asked for.
TimeSpan span_of(const StoredAudit& asked, const std::string& generator, const std::optional<AuditedRun>& run) {
  TimeSpan span{asked.since.value_or(0), asked.until.value_or(0)};
  if (asked.since && asked.until) return span;
  const auto& sources = run->figures.sources;
  const auto source =
      std::find_if(sources.begin(), sources.end(), [&](const auto& each) { return each.name == generator; });
  if (source == sources.end()) {
    throw std::runtime_error(fmt::format("the run that is known had no source \"{}\"", generator));
  }
  if (!asked.since) span.from_us = gauge_us(*run, *source, "first_reading_seconds");
  if (!asked.until) span.until_us = gauge_us(*run, *source, "next_reading_seconds");
  return span;
}

bool all_done(const RunFigures& now, const RunFigures& before) {
  return std::all_of(now.sinks.begin(), now.sinks.end(), [&](const auto& sink) {
    const auto was = std::find_if(before.sinks.begin(), before.sinks.end(),
                                  [&](const auto& each) { return each.name == sink.name; });
    return sink.terms.pending == 0 || was == before.sinks.end() || sink.terms.done() >= was->terms.journaled;
  });
}

// What was pending when the window was taken gets its time.
void wait_for_pending(const AgentSection& agent, const AuditedRun& run, Clock::time_point deadline) {
  AuditedRun now = run;
  while (now.running && !all_done(now.figures, run.figures)) {
    if (Clock::now() >= deadline) {
      print_output("the agent has {} readings pending still: what is missing may be among them\n",
                   grouped(now.figures.pending()));
      return;
    }
    std::this_thread::sleep_for(kPoll);
    now = find_run(agent);
  }
}

void print_more(std::uint64_t all, std::size_t shown, const char* kind) {
  if (all > shown) print_output("and {} more {}; --all names them\n", grouped(all - shown), kind);
}

void print_findings(const Findings& found) {
  for (const auto& each : found.missing_spans) {
    print_output("missing {} {}{}: {}\n", one_line(each.customer), iso_time(each.from_us),
                 each.count == 1 ? "" : " to " + iso_time(each.to_us),
                 each.count == 1 ? "1 reading" : grouped(each.count) + " in a row");
  }
  print_more(found.gaps, found.missing_spans.size(), "gaps");
  for (const auto& each : found.doubled_readings) {
    print_output("doubled {} {}: stored {} times\n", one_line(each.customer), iso_time(each.time_us), each.times);
  }
  print_more(found.doubled, found.doubled_readings.size(), "doubled");
  for (const auto& each : found.changed_readings) {
    print_output("changed {} {}: expected {}, found {}\n", one_line(each.customer), iso_time(each.time_us),
                 each.expected, each.found);
  }
  print_more(found.changed, found.changed_readings.size(), "changed");
  for (const auto& each : found.foreign_readings) {
    print_output("foreign {} {}: {}\n", one_line(each.customer), iso_time(each.time_us), each.heart_rate);
  }
  print_more(found.foreign, found.foreign_readings.size(), "foreign");
}

void print_reasons(const char* what, const CountByReason& counts) {
  if (total(counts) == 0) return;
  std::vector<std::string> reasons;
  for (const auto& [reason, count] : counts) reasons.push_back(fmt::format("{} {}", reason, grouped(count)));
  print_output("{}: {} ({})\n", what, grouped(total(counts)), joined(reasons));
}

void print_outcome(const std::string& generator, const TimeSpan& span, const Outcome& outcome) {
  const Findings& found = outcome.findings;
  print_output("source {}: readings from {} to before {}\n", generator, iso_time(span.from_us),
               iso_time(span.until_us));
  print_findings(found);
  print_reasons("not expected, removed by a processor", outcome.removed);
  print_reasons("not expected, refused by a processor", outcome.refused);
  print_reasons("not stored, in the dead letters", outcome.excused);
  print_output("expected {} stored {} missing {} doubled {} changed {} foreign {}\n", grouped(found.expected),
               grouped(found.stored), grouped(found.missing), grouped(found.doubled), grouped(found.changed),
               grouped(found.foreign));
}

int audit_generators(const Config& config, const std::vector<const InstanceConfig*>& generators,
                     const RunOptions& options, const StoredAudit& asked) {
  const auto deadline = Clock::now() + asked.wait;
  std::optional<AuditedRun> run;
  if (!asked.since || !asked.until) run = find_run(config.agent);
  std::vector<std::string> folders = options.plugin_dirs;
  folders.insert(folders.end(), config.agent.plugin_dirs.begin(), config.agent.plugin_dirs.end());
  PluginCatalog catalog(plugin_folders(folders));
  const InstanceConfig sink = sink_with(catalog.find(HB_SINK, "postgres"), "uri", asked.postgres);
  Logger logger(options.log_format, LogLevel::warning);
  if (run) wait_for_pending(config.agent, *run, deadline);
  bool clean = true;
  for (const InstanceConfig* generator : generators) {
    const TimeSpan span = span_of(asked, generator->name(), run);
    const Outcome outcome = GeneratorAudit(config, *generator, sink, asked, span, logger).compare_until(deadline);
    print_outcome(generator->name(), span, outcome);
    clean = clean && outcome.findings.clean();
  }
  return clean ? kExitDone : kExitFailed;
}

}  // namespace

int audit_stored(const RunOptions& options, const StoredAudit& asked) {
  Problems problems(options.config.string());
  const auto config = load_shared_config(options.config, options.plugin_dirs, problems);
  std::vector<const InstanceConfig*> generators;
  if (config != nullptr) {
    for (const InstanceConfig& source : config->sources) {
      if (source.plugin->name == "generator") generators.push_back(&source);
    }
    if (generators.empty()) problems.add({}, "has no source with the plugin \"generator\", whose readings are known");
  }
  if (!problems.empty()) {
    print_problems(problems);
    return kExitUsage;
  }
  return guarded_command([&] { return audit_generators(*config, generators, options, asked); });
}

std::optional<std::chrono::microseconds> parse_wait(const std::string& text) {
  const auto us = parse_duration(text);
  return us && *us >= 0 ? std::optional(std::chrono::microseconds(*us)) : std::nullopt;
}

}  // namespace hbagent
