// What the commands share: how they tell what is wrong, and the exit code of it.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "commands.hpp"
#include "config.hpp"

namespace hbagent {

inline void print_problems(const Problems& problems) {
  for (const std::string& line : problems.lines()) fmt::print(stderr, "{}\n", line);
}

// Runs `body`, and turns what it throws into a message and an exit code.
template <class Body>
int guarded_command(const Body& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    fmt::print(stderr, "hbagent: {}\n", error.what());
    return kExitFailed;
  }
}

// Runs `body` with [agent]; the rest of the configuration may be wrong.
template <class Body>
int with_agent_section(const RunOptions& options, const Body& body) {
  Problems problems(options.config.string());
  const auto agent = load_agent_section(options.config, problems);
  if (!agent) {
    print_problems(problems);
    return kExitUsage;
  }
  return guarded_command([&] { return body(*agent); });
}

}  // namespace hbagent
