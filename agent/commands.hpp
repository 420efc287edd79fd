// What the command line can ask for. Each returns the process's exit code: 0 done, 1 failed while running, 2 usage or
// configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dead_letter_line.hpp"
#include "log.hpp"

namespace hbagent {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

struct RunOptions {
  std::filesystem::path config;
  std::vector<std::string> plugin_dirs;
  LogFormat log_format = LogFormat::text;
  LogLevel log_level = LogLevel::info;
};

int run_agent(const RunOptions& options);

// Everything that can be checked without connecting; with `connect`, opens every source, processor and sink as well.
int check_config(const RunOptions& options, bool connect);

// Lists all plugins, or documents one (all kinds of that name). As Markdown: the options block of its README.
int show_plugins(const std::vector<std::string>& plugin_dirs, const std::string& name, bool markdown);

// Prints a commented, working configuration for the plugins named.
int init_config(const std::vector<std::string>& plugin_dirs, const std::vector<std::string>& plugins);

// The journal on disk: what is in it, whether all of it can be read, and what to do where it cannot. `forget` and
// `repair` need a stopped agent.
int journal_info(const RunOptions& options);
int journal_verify(const RunOptions& options);
int journal_forget(const RunOptions& options, const std::string& sink);
int journal_repair(const RunOptions& options);

// The dead letters: all that the selection names as a table (or as JSON lines), one in full, or replayed. `list` and
// `show` read the files, whether an agent runs or not; `replay` lets a running agent do it, and else does it itself.
int list_letters(const RunOptions& options, const LetterSelection& selection, bool json);
int show_letter(const RunOptions& options, std::uint64_t id);
int replay_letters(const RunOptions& options, const LetterSelection& selection);

// Whether the accounts of a running agent, or of its last run, agree; as text or JSON. 1 also where there is nothing to
// audit.
int audit(const RunOptions& options, bool json);

// What is compared with the readings of the configuration's generators.
struct StoredAudit {
  std::string postgres;                      // URI
  bool generator = false;                    // the readings are those of generators: there is nothing else yet
  std::string table;                         // empty: the sink's own
  std::chrono::microseconds wait{};          // for what is still on its way
  std::optional<std::int64_t> since, until;  // instead of the window of the run; us since the epoch
  bool all = false;                          // name every finding
};
// Whether a database holds what the configuration's generators have made, each reading once: 1 where it does not.
int audit_stored(const RunOptions& options, const StoredAudit& asked);
// "10s"; nullopt: no duration.
std::optional<std::chrono::microseconds> parse_wait(const std::string& text);

// What `decode` is to decode.
struct DecodeRequest {
  std::string source;  // a source's name; or the file, where there is one source and `file` is empty
  std::string file;    // with the payload; empty or "-": standard input
  std::string batch;   // file with many cases instead, "-": standard input; what stands below is each one's own then
  std::string topic;   // where the payload is to be taken to come from; empty: not said
  std::optional<std::string> key;
  bool hex = false, retain = false;
  std::optional<std::int64_t> received_us;  // us since the epoch; nullopt: now
};
// Payloads through a source's decoding and the processors; prints what comes of each. Connects nowhere, and touches
// nothing on disk, whether an agent runs or not.
int decode(const RunOptions& options, const DecodeRequest& request);

int show_version(const std::vector<std::string>& plugin_dirs);

}  // namespace hbagent
