#include "audit_run.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "control_client.hpp"
#include "last_run.hpp"
#include "replay_json.hpp"

namespace hbagent {

AuditedRun find_run(const AgentSection& agent) {
  if (const auto answer = ControlClient(agent.data_dir).get("/api/v1/status")) {
    if (answer->status != 200) throw std::runtime_error("the agent says: " + error_in_json(answer->body));
    try {
      return {read_figures(answer->body), true};
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(fmt::format(
          "the agent answers what this version cannot read ({}): restart it, so that both are the same", error.what()));
    }
  }
  const auto text = read_last_run(agent.data_dir);
  if (!text) {
    throw std::runtime_error(
        fmt::format("nothing to audit: no agent runs with data_dir \"{}\", and none has yet left its figures there; "
                    "start one with hbagent -c FILE",
                    agent.data_dir));
  }
  try {
    return {read_figures(*text), false};
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(
        fmt::format("{}/{} is damaged ({}): the next run writes it anew", agent.data_dir, kLastRunFile, error.what()));
  }
}

}  // namespace hbagent
