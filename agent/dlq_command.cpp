// hbagent dlq: the dead letters of a running agent, or of its last run.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <thread>

#include "command_support.hpp"
#include "control.hpp"
#include "control_client.hpp"
#include "dead_letter_reader.hpp"
#include "dlq_list.hpp"
#include "known_reasons.hpp"
#include "pipeline.hpp"
#include "replay_json.hpp"
#include "text.hpp"
#include "visible_text.hpp"

namespace hbagent {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPoll{100};
constexpr std::size_t kUsualWidth = 80;

fs::path letters_file(const AgentSection& agent) {
  return fs::path(agent.data_dir) / "dead-letters.jsonl";
}

std::size_t terminal_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return kUsualWidth;
  return std::max<std::size_t>(kUsualWidth, size.ws_col);
}

std::uint64_t bytes_on_disk(const fs::path& file) {
  std::uint64_t bytes = 0;
  for (const fs::path& each : {file, fs::path(file.string() + ".1")}) {
    std::error_code none;
    const auto size = fs::file_size(each, none);
    if (!none) bytes += size;
  }
  return bytes;
}

// ---- replay ------------------------------------------------------------------------------------------------------

void print_left(const ReplayResult& result) {
  for (const auto& [who, count] : result.refused_by)
    print_output("  refused again: {} {}\n", grouped(count), visible_line(who));
  for (const auto& [why, left] : result.left_why) {
    const std::string which = left.count == 1
                                  ? fmt::format("letter {}", left.first_id)
                                  : fmt::format("{} letters from {} on", grouped(left.count), left.first_id);
    print_output("  not replayed: {}: {}\n", which, visible_line(why));
  }
  for (const std::uint64_t id : result.unknown_ids) print_output("  there is no letter {} that is asked for\n", id);
}

int print_result(const ReplayResult& result) {
  print_output("{} of {} letters replayed, {} refused again, {} not replayed\n", grouped(result.replayed),
               grouped(result.selected), grouped(result.refused), grouped(result.left));
  print_left(result);
  if (result.undelivered) print_output("  some sinks have not taken all of it yet: it waits for them in the journal\n");
  if (!result.error.empty()) print_output("  it ended early: {}\n", visible_line(result.error));
  const bool all = result.refused == 0 && result.left == 0 && result.unknown_ids.empty() && result.error.empty();
  return all ? kExitDone : kExitFailed;
}

// Whether there can be such letters. If not, says which there are: a slip of the pen would look like success.
bool can_select(const fs::path& file, const std::string& reason) {
  if (reason.empty() || is_known_reason(reason)) return true;
  std::map<std::string, std::uint64_t> counts;
  DeadLetterReader reader(file);
  for (StoredLetter letter; reader.next(letter);) ++counts[letter.reason];
  if (counts.contains(reason)) return true;
  std::vector<std::string> present;
  for (const auto& [each, count] : counts)
    present.push_back(fmt::format("{} ({})", visible_line(each), grouped(count)));
  print_error("hbagent: no dead letter has the reason \"{}\"; {}\n", visible_line(reason),
              present.empty() ? "there are none at all" : "there are: " + joined(present));
  return false;
}

// By a running agent. nullopt: none runs.
std::optional<int> replay_there(const AgentSection& agent, const LetterSelection& selection) {
  const ControlClient client(agent.data_dir);
  const auto begun = client.post(kReplayPath, to_json(selection));
  if (!begun) return std::nullopt;
  if (begun->status != 202) throw std::runtime_error("the agent does not replay: " + error_in_json(begun->body));
  for (;;) {
    const auto answer = client.get(kReplayPath);
    if (!answer) {
      throw std::runtime_error("the agent has ended meanwhile; letters that it had not done with are still there");
    }
    const auto progress = progress_from_json(answer->body);
    if (answer->status != 200 || !progress) throw std::runtime_error("the agent says: " + error_in_json(answer->body));
    if (!progress->running) return print_result(progress->result);
    std::this_thread::sleep_for(kPoll);
  }
}

// By sinks of its own.
int replay_here(const RunOptions& options, const LetterSelection& selection) {
  Problems problems(options.config.string());
  const auto config = load_shared_config(options.config, options.plugin_dirs, problems);
  if (config == nullptr) {
    print_problems(problems);
    return kExitUsage;
  }
  std::signal(SIGPIPE, SIG_IGN);
  Logger logger(options.log_format, LogLevel::warning);
  Pipeline pipeline(config, logger, Pipeline::Parts::sinks);
  if (!pipeline.start(problems)) {
    print_problems(problems);
    return kExitUsage;
  }
  Replay replay(pipeline.replay_site(), selection);
  replay.run();
  const bool ended = pipeline.stop(Pipeline::within(config->agent.shutdown_timeout));
  const int code = print_result(replay.result());
  if (!ended) {
    std::fflush(nullptr);
    std::_Exit(kExitFailed);  // a thread is stuck inside a plugin: there is no clean way out
  }
  return code;
}

}  // namespace

int list_letters(const RunOptions& options, const LetterSelection& selection, bool json) {
  return with_agent_section(options, [&](const AgentSection& agent) {
    const fs::path file = letters_file(agent);
    DeadLetterReader reader(file);
    LetterTable table;
    for (StoredLetter letter; reader.next(letter);) {
      if (!selection.wants(letter)) continue;
      if (json) {
        print_output("{}\n", reader.line());
      } else {
        table.add(letter);
      }
    }
    if (reader.damaged() > 0) {
      print_error("hbagent: {} lines of {} are no letters\n", grouped(reader.damaged()), file.string());
    }
    if (json) return kExitDone;
    if (table.size() == 0) {
      print_output("{}\n", table.summary());
    } else {
      print_output("{}\n{}; {} of at most {}\n", table.text(terminal_width()), table.summary(),
                   size_text(bytes_on_disk(file)), size_text(agent.dead_letter_max_size.value));
    }
    return kExitDone;
  });
}

int show_letter(const RunOptions& options, std::uint64_t id) {
  return with_agent_section(options, [&](const AgentSection& agent) {
    DeadLetterReader reader(letters_file(agent));
    for (StoredLetter letter; reader.next(letter);) {
      if (letter.id != id) continue;
      print_output("{}", letter_text(letter));
      return kExitDone;
    }
    throw std::runtime_error(fmt::format("there is no dead letter {}; see hbagent dlq list", id));
  });
}

int replay_letters(const RunOptions& options, const LetterSelection& selection) {
  return with_agent_section(options, [&](const AgentSection& agent) {
    if (!can_select(letters_file(agent), selection.reason)) return kExitUsage;
    DeadLetterReader reader(letters_file(agent));
    bool any = !selection.ids.empty();
    for (StoredLetter letter; !any && reader.next(letter);) any = selection.wants(letter);
    if (!any) {
      print_output("no dead letters to replay\n");
      return kExitDone;
    }
    const auto code = replay_there(agent, selection);
    return code ? *code : replay_here(options, selection);
  });
}

}  // namespace hbagent
