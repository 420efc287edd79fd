#include "run_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace hbagent {
namespace {

using nlohmann::json;

std::uint64_t count(const json& from, const char* key) {
  const json& value = from.at(key);
  if (!value.is_number_unsigned()) throw std::runtime_error(fmt::format("\"{}\" is no count", key));
  return value.get<std::uint64_t>();
}

CountByReason counts(const json& from, const char* key) {
  CountByReason all;
  for (const auto& [reason, value] : from.at(key).get_ref<const json::object_t&>()) {
    if (!value.is_number_unsigned()) throw std::runtime_error(fmt::format("\"{}.{}\" is no count", key, reason));
    all[reason] = value.get<std::uint64_t>();
  }
  return all;
}

std::string text(const json& from, const char* key) {
  const auto found = from.find(key);
  return found == from.end() ? "" : found->get<std::string>();
}

SourceTerms source_terms(const json& from) {
  SourceTerms terms;
  terms.received = count(from, "received");
  terms.added = count(from, "added");
  terms.journaled = count(from, "journaled");
  terms.discarded = counts(from, "discarded");
  terms.dead_lettered = counts(from, "dead_lettered");
  terms.refused_again = count(from, "refused_again");
  terms.removed = counts(from, "removed");
  return terms;
}

SinkTerms sink_terms(const json& from) {
  SinkTerms terms;
  terms.lay_before = count(from, "lay_before");
  terms.began_at = count(from, "began_at");
  terms.journaled = count(from, "journaled");
  terms.delivered = count(from, "delivered");
  terms.duplicate = count(from, "duplicate");
  terms.filtered = count(from, "filtered");
  terms.rejected = counts(from, "rejected");
  terms.dropped = count(from, "dropped");
  terms.pending = count(from, "pending");
  return terms;
}

RunFigures::Source source(const json& from) {
  RunFigures::Source source{from.at("name"), from.at("plugin"), source_terms(from), {}};
  if (const auto gauges = from.find("gauges"); gauges != from.end()) {
    for (const auto& [name, value] : gauges->get_ref<const json::object_t&>()) {
      if (value.is_number()) source.gauges[name] = value.get<double>();
    }
  }
  return source;
}

RunFigures figures(const json& from) {
  RunFigures run;
  run.agent = from.at("agent");
  run.started_at = text(from, "started_at");
  run.written_at = text(from, "written_at");
  run.ended = text(from, "ended");
  for (const json& each : from.at("sources").get_ref<const json::array_t&>()) run.sources.push_back(source(each));
  for (const json& each : from.at("sinks").get_ref<const json::array_t&>()) {
    run.sinks.push_back({each.at("name"), each.at("plugin"), sink_terms(each)});
  }
  run.ended_sources = source_terms(from.at("ended_sources"));
  run.ended_rejected = counts(from.at("ended_sinks"), "rejected");
  const json& journal = from.at("journal");
  run.appended = count(journal, "appended");
  run.journal_on_disk = journal.at("mode") == "disk";
  run.kept_for = counts(journal, "kept_for");
  const json& letters = from.at("dead_letters");
  run.letters_written = count(letters, "written");
  run.letters_evicted = count(letters, "evicted");
  run.letters_replayed = count(letters, "replayed");
  return run;
}

}  // namespace

SourceTerms RunFigures::all_sources() const {
  SourceTerms all = ended_sources;
  for (const Source& each : sources) all += each.terms;
  return all;
}

std::uint64_t RunFigures::dead_lettered() const {
  std::uint64_t all = total(all_sources().dead_lettered) + total(ended_rejected);
  for (const Sink& sink : sinks) all += total(sink.terms.rejected);
  return all;
}

std::uint64_t RunFigures::pending() const {
  std::uint64_t most = 0;
  for (const Sink& sink : sinks) most = std::max(most, sink.terms.pending);
  return most;
}

RunFigures read_figures(const std::string& document) {
  try {
    return figures(json::parse(document));
  } catch (const json::parse_error&) {
    throw std::runtime_error("no JSON");  // its text may quote any bytes
  } catch (const json::exception& error) {
    throw std::runtime_error(error.what());
  }
}

}  // namespace hbagent
