#include "journal_gone.hpp"

#include <fmt/format.h>

#include <map>

#include "journal/segment_folder.hpp"
#include "last_run.hpp"
#include "run_figures.hpp"
#include "text.hpp"

namespace hbagent {

std::optional<JournalGone> journal_gone(const Config& config) {
  const auto folder = config.journal_folder();
  if (config.journal.mode != JournalSection::Mode::disk) return std::nullopt;
  if (std::filesystem::exists(folder) && !list_segments(folder).segments.empty()) return std::nullopt;
  const auto text = read_last_run(config.agent.data_dir);
  if (!text) return std::nullopt;
  RunFigures run;
  try {
    run = read_figures(*text);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(
        fmt::format("{}: {}", (std::filesystem::path(config.agent.data_dir) / kLastRunFile).string(), error.what()));
  }
  if (!run.journal_on_disk) return std::nullopt;
  std::map<std::string, std::uint64_t> pending(run.kept_for);
  for (const auto& sink : run.sinks) pending[sink.name] += sink.terms.pending;
  JournalGone gone{"", run.written_at};
  for (const auto& [sink, readings] : pending) {
    if (readings == 0) continue;
    gone.readings += fmt::format("{}{} for sink {}", gone.readings.empty() ? "" : ", ", grouped(readings), sink);
  }
  return gone;
}

}  // namespace hbagent
