// The running agent: its sources, processors, journal and sinks, from start to drained stop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config.hpp"
#include "dead_letters.hpp"
#include "journal/folder_lock.hpp"
#include "journal/journal.hpp"
#include "log.hpp"
#include "phase.hpp"
#include "sink_runner.hpp"
#include "source_runner.hpp"

namespace hbagent {

class Pipeline {
 public:
  // Takes hold of data_dir: creates it, locks it against a second agent, opens the dead letters. Throws
  // std::runtime_error that says what to do. `config` outlives the pipeline.
  Pipeline(const Config& config, Logger& logger);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Creates every instance, each on its thread. What a plugin has against its configuration is a problem; then nothing
  // has been opened, and nothing runs.
  bool start(Problems& problems);

  enum class Outcome { all_done, stop_requested, nothing_left };
  // Waits until `stop_requested` says so (it is asked at each change and when poke() is called), until every source is
  // finished (all_done), or until all sources or all sinks have failed (nothing_left).
  Outcome wait(const std::function<bool()>& stop_requested);
  // Makes wait look again. [any thread; not in a signal handler]
  void poke();

  // Stops the sources, lets the sinks write what is pending, lets the sources store their acks, and joins all threads.
  // After the deadline the sinks are told to give up; a plugin that then does not return within kGrace is named in the
  // log and left behind: false. The deadline is asked again at each change and when poke() is called.
  using Deadline = std::function<PhaseBoard::Clock::time_point()>;
  bool stop(const Deadline& deadline);
  static Deadline within(std::chrono::microseconds timeout);  // from now on
  static constexpr std::chrono::seconds kGrace{5};

  // [any thread]
  struct InstanceView {
    std::string name, plugin;
    Instance::Status status;
  };
  struct SourceView : InstanceView {
    SourceTerms terms;
    std::vector<InstanceView> processors;
  };
  struct SinkView : InstanceView {
    SinkTerms terms;
    SinkRunner::Progress progress;
  };
  struct View {
    std::vector<SourceView> sources;
    std::vector<SinkView> sinks;
    Journal::Snapshot journal;  // without the accounts, which stand above
    DeadLetters::Stats dead_letters;
  };
  View view() const;
  // Empty: every source and sink is connected and data moves. Else one line for each that is not.
  std::vector<std::string> not_ready() const;
  bool any_failed() const;
  std::uint64_t pending() const;
  // Whether what is pending at a stop is delivered after the next start.
  bool keeps_pending() const;

  const Config& config() const { return config_; }

  static constexpr double kStalledSeconds = 30;  // pending without a commit: data does not move

 private:
  template <class Condition>
  bool wait_until(const Deadline& deadline, Condition condition);
  bool sources_in(Phase phase) const;
  bool sinks_in(Phase phase) const;

  const Config& config_;
  Logger& logger_;
  std::optional<FolderLock> lock_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<Journal> journal_;
  PhaseBoard board_;
  std::vector<std::unique_ptr<SourceRunner>> sources_;
  std::vector<std::unique_ptr<SinkRunner>> sinks_;
  bool started_ = false;
};

}  // namespace hbagent
