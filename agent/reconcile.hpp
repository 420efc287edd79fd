// The audit's arithmetic: whether what a run says of itself can be true, each number against those that another part
// has counted.
#pragma once

#include <string>
#include <vector>

#include "run_figures.hpp"

namespace hbagent {

// "source ward: received 10 = journaled 9 + removed 1 (jump 1)", the terms that are 0 left out but for the first.
std::string account_line(const RunFigures::Source& source);
// "sink postgres: journaled 9 = stored 9 (of it 2 before) + pending 0"
std::string account_line(const RunFigures::Sink& sink);

// What does not agree, a line each, with both sides and the difference:
//   each source's and each sink's own account;
//   what all sources journaled, and how far the journal's positions have come;
//   what all sources journaled since a sink began, with what lay before it then, and what it saw;
//   what went to the dead letters by the accounts, and how many letters were written (which comes first: there may be
//   more, whose readings come again).
std::vector<std::string> imbalances(const RunFigures& run);

}  // namespace hbagent
