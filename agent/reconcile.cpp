#include "reconcile.hpp"

#include <fmt/format.h>

#include "text.hpp"

namespace hbagent {
namespace {

// "removed 3 (jump 2, low 1)"
std::string with_reasons(const char* term, const CountByReason& counts) {
  std::vector<std::string> reasons;
  for (const auto& [reason, count] : counts) reasons.push_back(fmt::format("{} {}", reason, grouped(count)));
  return fmt::format("{} {} ({})", term, grouped(total(counts)), joined(reasons));
}

void add_reasons(std::vector<std::string>& terms, const char* term, const CountByReason& counts) {
  if (total(counts) > 0) terms.push_back(with_reasons(term, counts));
}

void add_term(std::vector<std::string>& terms, const char* term, std::uint64_t count) {
  if (count > 0) terms.push_back(fmt::format("{} {}", term, grouped(count)));
}

void compare(std::vector<std::string>& found, const std::string& left, std::uint64_t left_count,
             const std::string& right, std::uint64_t right_count) {
  if (left_count == right_count) return;
  const bool more = left_count > right_count;
  found.push_back(fmt::format("{} {}, but {} {}: {} {}", left, grouped(left_count), right, grouped(right_count),
                              grouped(more ? left_count - right_count : right_count - left_count),
                              more ? "are missing" : "too many"));
}

}  // namespace

std::string account_line(const RunFigures::Source& source) {
  const SourceTerms& terms = source.terms;
  std::vector<std::string> in = {"received " + grouped(terms.received)};
  add_term(in, "added", terms.added);
  std::vector<std::string> out = {"journaled " + grouped(terms.journaled)};
  add_reasons(out, "removed", terms.removed);
  add_reasons(out, "discarded", terms.discarded);
  add_reasons(out, "dead-lettered", terms.dead_lettered);
  return fmt::format("source {}: {} {} {}", source.name, joined(in, " + "), terms.balanced() ? "=" : "is not",
                     joined(out, " + "));
}

std::string account_line(const RunFigures::Sink& sink) {
  const SinkTerms& terms = sink.terms;
  std::string stored = "stored " + grouped(terms.delivered);
  if (terms.duplicate > 0) stored += fmt::format(" (of it {} before)", grouped(terms.duplicate));
  std::vector<std::string> out = {stored};
  add_term(out, "filtered", terms.filtered);
  add_reasons(out, "rejected", terms.rejected);
  add_term(out, "dropped", terms.dropped);
  out.push_back("pending " + grouped(terms.pending));
  return fmt::format("sink {}: journaled {} {} {}", sink.name, grouped(terms.journaled),
                     terms.balanced() ? "=" : "is not", joined(out, " + "));
}

std::vector<std::string> imbalances(const RunFigures& run) {
  std::vector<std::string> found;
  for (const auto& source : run.sources) {
    compare(found, fmt::format("source {} received (with what processors added)", source.name),
            source.terms.received + source.terms.added, "accounts for", source.terms.accounted());
  }
  compare(found, "sources that a reload took out received", run.ended_sources.received + run.ended_sources.added,
          "account for", run.ended_sources.accounted());
  const std::uint64_t journaled = run.all_sources().journaled;
  compare(found, "all sources together journaled", journaled, "the journal took", run.appended);
  for (const auto& sink : run.sinks) {
    const SinkTerms& terms = sink.terms;
    compare(found, fmt::format("before sink {} lay, or were journaled since it began,", sink.name),
            terms.lay_before + journaled - terms.began_at, "it saw", terms.journaled);
    compare(found, fmt::format("sink {} saw", sink.name), terms.journaled, "accounts for",
            terms.done() + terms.pending);
    if (terms.duplicate > terms.delivered) {
      found.push_back(fmt::format("sink {} stored {}, but {} of them were there before: {} too many", sink.name,
                                  grouped(terms.delivered), grouped(terms.duplicate),
                                  grouped(terms.duplicate - terms.delivered)));
    }
  }
  const std::uint64_t had_letters = run.all_sources().refused_again;
  const std::uint64_t refused = run.dead_lettered();
  if (refused > had_letters + run.letters_written) {
    compare(found, "new to the dead letters went", refused - had_letters, "letters were written:", run.letters_written);
  }
  return found;
}

}  // namespace hbagent
