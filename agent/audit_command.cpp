// hbagent audit: whether the accounts of a running agent, or of its last run, agree.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "audit_run.hpp"
#include "command_support.hpp"
#include "reconcile.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

std::string state_of(const AuditedRun& run) {
  const RunFigures& figures = run.figures;
  const std::string who = fmt::format("agent \"{}\"", one_line(figures.agent));
  if (run.running) return fmt::format("{} runs since {}", who, figures.started_at);
  if (!figures.ended.empty()) {
    return fmt::format("{} ran from {} to {}: {}", who, figures.started_at, figures.written_at, figures.ended);
  }
  return fmt::format("{} ended without a stop; figures of {}: what came later is not in them", who, figures.written_at);
}

void print_text(const AuditedRun& run, const std::vector<std::string>& wrong) {
  const RunFigures& figures = run.figures;
  print_output("{}\n", state_of(run));
  for (const auto& source : figures.sources) print_output("{}\n", account_line(source));
  for (const auto& sink : figures.sinks) print_output("{}\n", account_line(sink));
  if (figures.letters_written > 0 || figures.letters_replayed > 0) {
    print_output("dead letters: written {}, evicted {}, replayed {}\n", grouped(figures.letters_written),
                 grouped(figures.letters_evicted), grouped(figures.letters_replayed));
  }
  for (const std::string& line : wrong) print_output("wrong: {}\n", line);
  print_output("{}\n", wrong.empty() ? "balanced" : "not balanced");
}

nlohmann::ordered_json to_json(const RunFigures::Source& source) {
  const SourceTerms& terms = source.terms;
  return {{"name", source.name},          {"received", terms.received},   {"added", terms.added},
          {"journaled", terms.journaled}, {"discarded", terms.discarded}, {"dead_lettered", terms.dead_lettered},
          {"removed", terms.removed},     {"balanced", terms.balanced()}};
}

nlohmann::ordered_json to_json(const RunFigures::Sink& sink) {
  const SinkTerms& terms = sink.terms;
  return {{"name", sink.name},
          {"journaled", terms.journaled},
          {"delivered", terms.delivered},
          {"duplicate", terms.duplicate},
          {"filtered", terms.filtered},
          {"rejected", terms.rejected},
          {"dropped", terms.dropped},
          {"pending", terms.pending},
          {"balanced", terms.balanced()}};
}

void print_json(const AuditedRun& run, const std::vector<std::string>& wrong) {
  const RunFigures& figures = run.figures;
  nlohmann::ordered_json json;
  json["agent"] = figures.agent;
  json["started_at"] = figures.started_at;
  json["running"] = run.running;
  if (!run.running) {
    json["figures_of"] = figures.written_at;
    json["ended"] = figures.ended.empty() ? "without a stop" : figures.ended;
  }
  for (const char* kind : {"sources", "sinks"}) json[kind] = nlohmann::ordered_json::array();
  for (const auto& source : figures.sources) json["sources"].push_back(to_json(source));
  for (const auto& sink : figures.sinks) json["sinks"].push_back(to_json(sink));
  json["dead_letters"] = {{"written", figures.letters_written},
                          {"evicted", figures.letters_evicted},
                          {"replayed", figures.letters_replayed}};
  json["wrong"] = wrong;
  json["balanced"] = wrong.empty();
  print_output("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

int audit(const RunOptions& options, bool json) {
  return with_agent_section(options, [&](const AgentSection& agent) {
    const AuditedRun run = find_run(agent);
    const std::vector<std::string> wrong = imbalances(run.figures);
    json ? print_json(run, wrong) : print_text(run, wrong);
    return wrong.empty() ? kExitDone : kExitFailed;
  });
}

}  // namespace hbagent
