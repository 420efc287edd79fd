// The running agent: its sources, processors, journal and sinks, from start to drained stop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "config.hpp"
#include "dead_letters.hpp"
#include "journal/folder_lock.hpp"
#include "journal/journal.hpp"
#include "log.hpp"
#include "phase.hpp"
#include "replay_lane.hpp"
#include "sink_runner.hpp"
#include "source_runner.hpp"

namespace hbagent {

// The disk is too full for a start: nothing is wrong with the configuration.
struct DiskFull : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Pipeline {
 public:
  // Takes hold of data_dir: creates it, locks it against a second agent, opens the dead letters. Throws DiskFull, or
  // another std::runtime_error, that says what to do.
  enum class Parts { all, sinks };  // sinks: nothing comes in but by replay_site
  Pipeline(std::shared_ptr<const Config> config, Logger& logger, Parts parts = Parts::all);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Creates every instance, each on its thread. What a plugin has against its configuration is a problem; then nothing
  // has been opened, and nothing runs. Throws as the constructor does.
  bool start(Problems& problems);

  // Goes over to another configuration while it runs. What is the same in both goes on untouched; sources and sinks
  // that are gone, or are another, end within shutdown_timeout, and nothing that waits for a sink that is in both is
  // lost. What is wrong, or needs a restart, is a problem: then nothing has changed. [the thread that waits]
  bool reload(std::shared_ptr<const Config> next, Problems& problems);

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
    std::shared_ptr<const Config> config;
    std::int64_t started_us = 0;  // us since the epoch
    std::uint64_t reloads = 0;    // that succeeded
    std::vector<SourceView> sources;
    std::vector<SinkView> sinks;
    SourceTerms ended_sources;  // of those that a reload has taken out, together
    SinkTerms ended_sinks;
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
  // For a replay, which must end before the next reload, and before the stop.
  ReplaySite replay_site();

  static constexpr double kStalledSeconds = 30;  // pending without a commit: data does not move

 private:
  template <class Condition>
  bool wait_until(const Deadline& deadline, Condition condition);
  bool sources_in(Phase phase) const;
  bool sinks_in(Phase phase) const;

  // A runner and the configuration that it refers to.
  template <class Runner>
  struct Slot {
    std::shared_ptr<const Config> config;
    std::unique_ptr<Runner> runner;
    Runner* operator->() const { return runner.get(); }
  };
  using Sources = std::vector<Slot<SourceRunner>>;
  using Sinks = std::vector<Slot<SinkRunner>>;

  Slot<SourceRunner> make_source(const std::shared_ptr<const Config>& config, std::size_t index);
  Slot<SinkRunner> make_sink(const std::shared_ptr<const Config>& config, std::size_t index);
  // Starts them and waits until each has its instance; what they have against their configuration is a problem.
  bool create(const Sources& sources, const Sinks& sinks, Problems& problems);
  // Those that have not begun yet. One that the journal has no place for ends it (std::runtime_error), or only itself.
  void go(bool all_or_nothing);
  bool needs_restart(const Config& next, Problems& problems) const;
  // A drain would only take time: it cannot deliver now, and the disk keeps what is pending.
  bool waits_for_far_side(const Slot<SinkRunner>& sink) const;
  void end_sources(Sources ending, const Deadline& deadline);
  // Returns what the journal keeps for those that do not come back, by name.
  std::map<std::string, std::uint64_t> end_sinks(Sinks ending, const Config& next, const Deadline& deadline);
  template <class Slots>
  bool join_or_leave(Slots& slots);  // false: some do not return; each is named in the log
  template <class Slots>
  void leave_behind(Slots& slots);

  Logger& logger_;
  std::optional<FolderLock> lock_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<Journal> journal_;
  PhaseBoard board_;
  // Changed by the thread that waits, under the mutex; others read under it.
  mutable std::mutex slots_mutex_;
  std::shared_ptr<const Config> config_;
  std::uint64_t reloads_ = 0;
  const std::int64_t started_us_;
  Sources sources_;
  Sinks sinks_;
  bool started_ = false;
  bool left_behind_ = false;  // a plugin did not return; its thread goes on somewhere
  std::vector<std::shared_ptr<void>> stuck_;
};

template <class Condition>
bool Pipeline::wait_until(const Deadline& deadline, Condition condition) {
  for (;;) {
    const auto until = deadline();
    bool done = false;
    const bool woken = board_.wait_until(until, [&] {
      done = condition();
      return done || deadline() != until;
    });
    if (done || !woken) return done;
  }
}

}  // namespace hbagent
