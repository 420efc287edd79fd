// Where an audit finds a run.
#pragma once

#include "config.hpp"
#include "run_figures.hpp"

namespace hbagent {

struct AuditedRun {
  RunFigures figures;
  bool running = false;
};

// Asks the agent that runs with this data_dir, or reads what its last run has left. Throws std::runtime_error, which
// says what to do, where there is nothing to audit.
AuditedRun find_run(const AgentSection& agent);

}  // namespace hbagent
