#include "pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "journal/disk_journal.hpp"
#include "journal/memory_journal.hpp"
#include "wall_clock.hpp"

namespace hbagent {
namespace {

std::unique_ptr<Journal> make_journal(const Config& config, Logger& logger) {
  const JournalSection& section = config.journal;
  const bool drop_oldest = section.when_full == JournalSection::WhenFull::drop_oldest;
  if (section.mode == JournalSection::Mode::memory) {
    return std::make_unique<MemoryJournal>(MemoryJournal::Settings{section.bound(), drop_oldest}, logger);
  }
  return std::make_unique<DiskJournal>(
      make_file_io(),
      DiskJournal::Settings{config.journal_folder(), section.bound(), drop_oldest, section.sync_interval}, logger);
}

JournalSink journal_sink(const InstanceConfig& sink) {
  return {sink.name(), sink.keys.from, sink.where, sink.keys.start == InstanceKeys::Start::latest};
}

// What an operator can do about an error within data_dir; empty where that depends.
const char* advice_on(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT:
      return "; set data_dir in [agent] to a folder that this user may write to";
    case EISDIR:
      return "; a folder has the name of a file there: move it away";
    case ELOOP:
      return "; a symbolic link is not followed there: put the file itself in its place";
    default:
      return "";
  }
}

[[noreturn]] void throw_unusable(const Config& config, const std::system_error& error) {
  const std::string& data_dir = config.agent.data_dir;
  if (error.code() == std::errc::no_space_on_device || error.code().value() == EDQUOT) {
    throw DiskFull(
        fmt::format("data_dir \"{}\": the disk is full: {}; free some of it and start again (with a lower "
                    "max_size in [journal] less is needed to begin)",
                    data_dir, error.what()));
  }
  throw std::runtime_error(
      fmt::format("data_dir \"{}\" cannot be used: {}{}", data_dir, error.what(), advice_on(error.code().value())));
}

}  // namespace

Pipeline::Pipeline(std::shared_ptr<const Config> config, Logger& logger, Parts parts)
    : logger_(logger), config_(std::move(config)), started_us_(wall_clock_us()) {
  const std::filesystem::path data_dir = config_->agent.data_dir;
  try {
    lock_.emplace(data_dir);
    if (!lock_->held() && parts == Parts::sinks) {
      throw std::runtime_error(fmt::format(
          "data_dir \"{}\" is in use, and nobody answers on its control socket: wait if another replay is at "
          "work there; an agent makes the socket anew when it is restarted",
          config_->agent.data_dir));
    }
    if (!lock_->held()) {
      throw std::runtime_error(fmt::format("another hbagent uses data_dir \"{}\"; stop it, or give this one its own",
                                           config_->agent.data_dir));
    }
    dead_letters_ = std::make_unique<DeadLetters>(
        std::filesystem::absolute(data_dir / "dead-letters.jsonl"), config_->agent.dead_letter_max_size.value,
        make_file_io(), [&logger](const std::string& text) { logger.warn("dead-letters", text); });
    journal_ = make_journal(*config_, logger);
    const std::size_t sources = parts == Parts::all ? config_->sources.size() : 0;
    for (std::size_t i = 0; i < sources; ++i) sources_.push_back(make_source(config_, i));
    for (std::size_t i = 0; i < config_->sinks.size(); ++i) sinks_.push_back(make_sink(config_, i));
  } catch (const std::system_error& error) {
    throw_unusable(*config_, error);
  }
}

Pipeline::~Pipeline() {
  if (started_) stop(within(std::chrono::microseconds(0)));
}

Pipeline::Slot<SourceRunner> Pipeline::make_source(const std::shared_ptr<const Config>& config, std::size_t index) {
  const auto state_dir = std::filesystem::path(config->agent.data_dir) / "state";
  return {config, std::make_unique<SourceRunner>(
                      config->sources[index], config->processors,
                      SourceRunner::Surroundings{*journal_, *dead_letters_, logger_, board_, state_dir})};
}

Pipeline::Slot<SinkRunner> Pipeline::make_sink(const std::shared_ptr<const Config>& config, std::size_t index) {
  const auto state_dir = std::filesystem::path(config->agent.data_dir) / "state";
  return {config,
          std::make_unique<SinkRunner>(
              config->sinks[index], SinkRunner::Surroundings{*journal_, *dead_letters_, logger_, board_, state_dir})};
}

bool Pipeline::create(const Sources& sources, const Sinks& sinks, Problems& problems) {
  for (const auto& source : sources) source->start();
  for (const auto& sink : sinks) sink->start();
  board_.wait([&] {
    const auto created = [](const auto& runner) { return runner->phase() != Phase::creating; };
    return std::all_of(sources.begin(), sources.end(), created) && std::all_of(sinks.begin(), sinks.end(), created);
  });
  const bool sound = board_.read([&] {
    const std::size_t before = problems.lines().size();
    const auto collect = [&](const auto& runner) {
      if (!runner->failed()) return;
      problems.add(runner->create_error_place(), runner->instance().component() + ": " + runner->create_error());
    };
    for (const auto& source : sources) collect(source);
    for (const auto& sink : sinks) collect(sink);
    return problems.lines().size() == before;
  });
  if (sound) return true;
  // Before they are let go: nothing shall be opened.
  for (const auto& sink : sinks) sink->abort();
  for (const auto& source : sources) source->request_stop();
  return false;
}

void Pipeline::go(bool all_or_nothing) {
  const auto begin = [&](const auto& runner, const auto& add) {
    if (runner->index()) return;
    try {
      runner->go(add(runner->instance().config()));
    } catch (const std::runtime_error& error) {
      if (all_or_nothing) throw;
      runner->refuse(error.what());
    }
  };
  // Sinks first: what a source emits is for all that are there then.
  for (const auto& sink : sinks_) {
    begin(sink, [&](const InstanceConfig& config) { return journal_->add_sink(journal_sink(config)); });
  }
  for (const auto& source : sources_) {
    begin(source, [&](const InstanceConfig& config) { return journal_->add_source(config.name()); });
  }
  for (const auto& [name, readings] : journal_->snapshot().kept_for) {
    logger_.warn("journal", fmt::format("keeps {} readings for sink \"{}\", which the configuration does not have, and "
                                        "all that will come: add the sink again, or let go of them with \"hbagent "
                                        "journal forget {}\"",
                                        readings, name, name));
  }
}

bool Pipeline::start(Problems& problems) {
  started_ = true;
  if (!create(sources_, sinks_, problems)) return false;
  try {
    go(true);
  } catch (const std::system_error& error) {
    for (const auto& sink : sinks_) sink->abort();
    for (const auto& source : sources_) source->request_stop();
    throw_unusable(*config_, error);
  }
  return true;
}

template <class Slots>
bool Pipeline::join_or_leave(Slots& slots) {
  bool all = true;
  for (auto& runner : slots) {
    if (board_.read([&] { return runner->phase(); }) == Phase::ended) {
      runner->join();
      continue;
    }
    logger_.error(runner->instance().component(), "does not return from its plugin; left behind");
    all = false;
  }
  return all;
}
template bool Pipeline::join_or_leave(Sources&);
template bool Pipeline::join_or_leave(Sinks&);

bool Pipeline::sources_in(Phase phase) const {
  return std::all_of(sources_.begin(), sources_.end(), [&](const auto& each) { return each->phase() >= phase; });
}

bool Pipeline::sinks_in(Phase phase) const {
  return std::all_of(sinks_.begin(), sinks_.end(), [&](const auto& each) { return each->phase() >= phase; });
}

Pipeline::Outcome Pipeline::wait(const std::function<bool()>& stop_requested) {
  Outcome outcome = Outcome::stop_requested;
  board_.wait([&] {
    const auto failed = [](const auto& runner) { return runner->failed(); };
    if (stop_requested()) {
      outcome = Outcome::stop_requested;
    } else if (std::all_of(sinks_.begin(), sinks_.end(), failed) ||
               std::all_of(sources_.begin(), sources_.end(), failed)) {
      outcome = Outcome::nothing_left;
    } else if (sources_in(Phase::stopped)) {
      outcome = Outcome::all_done;
    } else {
      return false;
    }
    return true;
  });
  return outcome;
}

void Pipeline::poke() {
  board_.change([] {});
}

Pipeline::Deadline Pipeline::within(std::chrono::microseconds timeout) {
  constexpr auto kNever = PhaseBoard::Clock::time_point::max();
  const auto now = PhaseBoard::Clock::now();
  // In microseconds: the longest timeout would overflow in the clock's nanoseconds.
  const bool ends = timeout < std::chrono::duration_cast<std::chrono::microseconds>(kNever - now);
  return [end = ends ? now + timeout : kNever] { return end; };
}

bool Pipeline::stop(const Deadline& deadline) {
  if (!started_) return true;
  constexpr auto kNever = PhaseBoard::Clock::time_point::max();
  // Sources may hand over what they have in hand; half of the time is kept for the sinks.
  const auto begin = PhaseBoard::Clock::now();
  const Deadline half = [&] {
    const auto end = deadline();
    return end == kNever ? end : begin + (end - begin) / 2;
  };
  for (const auto& source : sources_) source->request_stop();
  bool drained = wait_until(half, [this] { return sources_in(Phase::stopped); });
  for (const auto& source : sources_) source->cut();
  drained = drained || wait_until(deadline, [this] { return sources_in(Phase::stopped); });
  const bool asked = deadline() != kNever;  // else the sinks have all the time that they need
  for (const auto& sink : sinks_) {
    const bool later = asked && waits_for_far_side(sink);
    later ? sink->abort() : sink->drain();
  }
  drained = drained && wait_until(deadline, [this] { return sinks_in(Phase::ended); });
  if (!drained) {
    for (const auto& sink : sinks_) sink->abort();
  }
  // On disk an ack comes with the next sync, whatever the sinks do: sources that get it redeliver nothing.
  if (keeps_pending()) {
    board_.wait_until(PhaseBoard::Clock::now() + kGrace, [this] { return sources_in(Phase::ended); });
  }
  for (const auto& source : sources_) source->release();
  const auto end = PhaseBoard::Clock::now() + kGrace;
  board_.wait_until(end, [this] { return sinks_in(Phase::ended) && sources_in(Phase::ended); });
  if (!join_or_leave(sources_) || !join_or_leave(sinks_)) left_behind_ = true;
  started_ = left_behind_;
  return !left_behind_;
}

Pipeline::View Pipeline::view() const {
  const std::lock_guard lock(slots_mutex_);
  View view;
  view.config = config_;
  view.started_us = started_us_;
  view.reloads = reloads_;
  Journal::Snapshot snapshot = journal_->snapshot();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    SourceView source;
    const Instance& instance = sources_[i]->instance();
    source.name = instance.config().name();
    source.plugin = instance.config().plugin->name;
    source.status = instance.status();
    // One that begins at this moment may not be in the snapshot yet.
    if (const auto index = sources_[i]->index(); index && *index < snapshot.sources.size()) {
      source.terms = std::exchange(snapshot.sources[*index], {});
    }
    for (const auto& processor : sources_[i]->processors().instances()) {
      source.processors.push_back({processor->config().name(), processor->config().plugin->name, processor->status()});
    }
    view.sources.push_back(std::move(source));
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    SinkView sink;
    const Instance& instance = sinks_[i]->instance();
    sink.name = instance.config().name();
    sink.plugin = instance.config().plugin->name;
    sink.status = instance.status();
    if (const auto index = sinks_[i]->index(); index && *index < snapshot.sinks.size()) {
      sink.terms = std::exchange(snapshot.sinks[*index], {});
    } else {
      sink.terms.began_at = snapshot.appended;  // nothing is for it yet
    }
    sink.progress = sinks_[i]->progress();
    view.sinks.push_back(std::move(sink));
  }
  for (const SourceTerms& ended : snapshot.sources) view.ended_sources += ended;
  for (const SinkTerms& ended : snapshot.sinks) view.ended_sinks += ended;
  view.journal = std::move(snapshot);
  view.journal.sources.clear();
  view.journal.sinks.clear();
  view.dead_letters = dead_letters_->stats();
  return view;
}

std::vector<std::string> Pipeline::not_ready() const {
  std::vector<std::string> reasons;
  const View now = view();
  const auto check = [&](const char* kind, const InstanceView& instance) {
    const auto state = instance.status.state;
    if (state == Instance::State::up || state == Instance::State::finished) return true;
    reasons.push_back(fmt::format("{} {} is {}{}{}", kind, instance.name, state_word(state),
                                  instance.status.last_error.empty() ? "" : ": ", instance.status.last_error));
    return false;
  };
  for (const SourceView& source : now.sources) {
    check("source", source);
    for (const InstanceView& processor : source.processors) {
      if (processor.status.state == Instance::State::down) check("processor", processor);
    }
  }
  for (const SinkView& sink : now.sinks) {
    if (check("sink", sink) && sink.terms.pending > 0 && sink.progress.seconds_since_progress > kStalledSeconds) {
      reasons.push_back(fmt::format("sink {} has {} readings pending and has delivered none for {:.0f} s", sink.name,
                                    sink.terms.pending, sink.progress.seconds_since_progress));
    }
  }
  if (!now.journal.failure.empty()) reasons.push_back("the journal accepts nothing: " + now.journal.failure);
  if (now.dead_letters.failing) reasons.push_back("the dead-letter file cannot be written");
  return reasons;
}

bool Pipeline::any_failed() const {
  return board_.read([this] {
    const auto failed = [](const auto& runner) { return runner->failed(); };
    return std::any_of(sources_.begin(), sources_.end(), failed) || std::any_of(sinks_.begin(), sinks_.end(), failed);
  });
}

std::uint64_t Pipeline::pending() const {
  std::uint64_t most = 0;
  for (const SinkTerms& sink : journal_->snapshot().sinks) most = std::max(most, sink.pending);
  return most;
}

ReplaySite Pipeline::replay_site() {
  const std::lock_guard lock(slots_mutex_);
  return {*journal_, *dead_letters_, logger_, config_, [this](const std::string& name) {
            const auto found = std::find_if(sinks_.begin(), sinks_.end(),
                                            [&](const auto& sink) { return sink->instance().config().name() == name; });
            return found == sinks_.end() ? nullptr : found->runner.get();
          }};
}

bool Pipeline::keeps_pending() const {
  return config_->journal.mode == JournalSection::Mode::disk;
}

bool Pipeline::waits_for_far_side(const Slot<SinkRunner>& sink) const {
  return keeps_pending() && sink->instance().status().state == Instance::State::down;
}

}  // namespace hbagent
