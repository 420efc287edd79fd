// What a run said of itself: the document of /api/v1/status, or what last_run.hpp has kept of it, read back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "journal/ledger.hpp"

namespace hbagent {

struct RunFigures {
  struct Source {
    std::string name, plugin;
    SourceTerms terms;
    std::map<std::string, double> gauges;
  };
  struct Sink {
    std::string name, plugin;
    SinkTerms terms;
  };

  std::string agent;
  std::string started_at;
  // Of a run that is kept: when these figures were taken, and how it ended; empty where it did not come to its end.
  std::string written_at, ended;
  std::vector<Source> sources;
  std::vector<Sink> sinks;
  SourceTerms ended_sources;  // taken out by a reload
  CountByReason ended_rejected;
  std::uint64_t appended = 0;  // to the journal, by its positions
  bool journal_on_disk = false;
  std::map<std::string, std::uint64_t> kept_for;  // readings by the names of sinks that were not configured
  std::uint64_t letters_written = 0;
  std::uint64_t letters_evicted = 0;
  std::uint64_t letters_replayed = 0;

  // Of all sources together.
  SourceTerms all_sources() const;
  // To the dead letters, as the accounts have it: by sources and processors, and by sinks.
  std::uint64_t dead_lettered() const;
  std::uint64_t pending() const;  // the most that a sink has
};

// Throws std::runtime_error where it is no such document.
RunFigures read_figures(const std::string& json);

}  // namespace hbagent
