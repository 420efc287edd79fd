#include "pipeline.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "memory_journal.hpp"

namespace hbagent {
namespace {

std::unique_ptr<Journal> make_journal(const Config& config) {
  MemoryJournal::Settings settings;
  settings.max_bytes = config.journal.max_size.value;
  settings.drop_oldest = config.journal.when_full == JournalSection::WhenFull::drop_oldest;
  settings.sources = config.sources.size();
  for (const InstanceConfig& sink : config.sinks) {
    SinkFilter filter;
    if (!sink.from.empty()) filter.sources.resize(config.sources.size());
    for (const std::size_t source : sink.from) filter.sources[source] = true;
    filter.flags = sink.where;
    settings.sinks.push_back(std::move(filter));
  }
  return std::make_unique<MemoryJournal>(std::move(settings));
}

}  // namespace

Pipeline::Pipeline(const Config& config, Logger& logger) : config_(config), logger_(logger) {
  const std::filesystem::path data_dir = config.agent.data_dir;
  try {
    std::filesystem::create_directories(data_dir);
    lock_data_dir();
    dead_letters_ = std::make_unique<DeadLetters>(std::filesystem::absolute(data_dir / "dead-letters.jsonl"),
                                                  config.agent.dead_letter_max_size.value);
    journal_ = make_journal(config);
    for (const InstanceConfig& source : config.sources) source_names_.push_back(source.name());
    const auto state_dir = data_dir / "state";
    for (std::size_t i = 0; i < config.sources.size(); ++i) {
      sources_.push_back(std::make_unique<SourceRunner>(
          i, config.sources[i], config.processors,
          SourceRunner::Surroundings{*journal_, *dead_letters_, logger_, board_, state_dir}));
    }
    for (std::size_t i = 0; i < config.sinks.size(); ++i) {
      sinks_.push_back(std::make_unique<SinkRunner>(
          i, config.sinks[i],
          SinkRunner::Surroundings{*journal_, *dead_letters_, logger_, board_, state_dir, source_names_}));
    }
  } catch (const std::system_error& error) {
    if (lock_fd_ >= 0) close(lock_fd_);
    throw std::runtime_error(
        fmt::format("data_dir \"{}\" cannot be used: {}; set data_dir in [agent] to a folder that "
                    "this user may write to",
                    data_dir.string(), error.what()));
  }
}

Pipeline::~Pipeline() {
  if (started_) stop(std::chrono::microseconds(0), [] { return false; });
  sources_.clear();
  sinks_.clear();
  if (lock_fd_ >= 0) close(lock_fd_);
}

void Pipeline::lock_data_dir() {
  const std::filesystem::path file = std::filesystem::path(config_.agent.data_dir) / "lock";
  lock_fd_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot open " + file.string());
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    close(lock_fd_);
    lock_fd_ = -1;
    if (error != EWOULDBLOCK) throw std::system_error(error, std::generic_category(), "cannot lock " + file.string());
    throw std::runtime_error(
        fmt::format("another hbagent uses data_dir \"{}\"; stop it, or give this one its own", config_.agent.data_dir));
  }
}

bool Pipeline::start(Problems& problems) {
  started_ = true;
  for (const auto& source : sources_) source->start();
  for (const auto& sink : sinks_) sink->start();
  const auto all_created = [this] {
    const auto created = [](const auto& runner) { return runner->phase() != Phase::creating; };
    return std::all_of(sources_.begin(), sources_.end(), created) && std::all_of(sinks_.begin(), sinks_.end(), created);
  };
  board_.wait(all_created);
  const bool sound = board_.read([&] {
    const std::size_t before = problems.lines().size();
    for (const auto& source : sources_) {
      if (!source->failed()) continue;
      problems.add(source->instance().config().place, source->instance().component() + ": " + source->create_error());
    }
    for (const auto& sink : sinks_) {
      if (!sink->failed()) continue;
      problems.add(sink->instance().config().place, sink->instance().component() + ": " + sink->create_error());
    }
    return problems.lines().size() == before;
  });
  if (!sound) {
    for (const auto& sink : sinks_) sink->abort();  // before it is let go: nothing shall be opened
    return false;
  }
  for (const auto& sink : sinks_) sink->go();
  for (const auto& source : sources_) source->go();
  return true;
}

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

template <class Condition>
bool Pipeline::wait_or_hurry(PhaseBoard::Clock::time_point deadline, const std::function<bool()>& hurry,
                             Condition condition) {
  bool done = false;
  board_.wait_until(deadline, [&] {
    done = condition();
    return done || hurry();
  });
  return done;
}

bool Pipeline::stop(std::chrono::microseconds timeout, const std::function<bool()>& hurry) {
  if (!started_) return true;
  const bool without_end = timeout == std::chrono::microseconds::max();
  const auto deadline = without_end ? PhaseBoard::Clock::time_point::max() : PhaseBoard::Clock::now() + timeout;
  // Sources may hand over what they have in hand; half of the time is kept for the sinks.
  const auto sources_deadline = without_end ? deadline : PhaseBoard::Clock::now() + timeout / 2;
  for (const auto& source : sources_) source->request_stop();
  bool drained = wait_or_hurry(sources_deadline, hurry, [this] { return sources_in(Phase::stopped); });
  for (const auto& source : sources_) source->cut();
  drained = drained || wait_or_hurry(deadline, hurry, [this] { return sources_in(Phase::stopped); });
  for (const auto& sink : sinks_) sink->drain();
  drained = drained && wait_or_hurry(deadline, hurry, [this] { return sinks_in(Phase::ended); });
  if (!drained) {
    for (const auto& sink : sinks_) sink->abort();
  }
  for (const auto& source : sources_) source->release();
  const auto end = PhaseBoard::Clock::now() + kGrace;
  if (!board_.wait_until(end, [this] { return sinks_in(Phase::ended) && sources_in(Phase::ended); })) {
    for (const auto& source : sources_) {
      if (board_.read([&] { return source->phase(); }) != Phase::ended) {
        logger_.error(source->instance().component(), "does not return from its plugin; left behind");
      }
    }
    for (const auto& sink : sinks_) {
      if (board_.read([&] { return sink->phase(); }) != Phase::ended) {
        logger_.error(sink->instance().component(), "does not return from its plugin; left behind");
      }
    }
    return false;
  }
  for (const auto& source : sources_) source->join();
  for (const auto& sink : sinks_) sink->join();
  started_ = false;
  return true;
}

Pipeline::View Pipeline::view() const {
  View view;
  const Journal::Snapshot snapshot = journal_->snapshot();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    SourceView source;
    const Instance& instance = sources_[i]->instance();
    source.name = instance.config().name();
    source.plugin = instance.config().plugin->name;
    source.status = instance.status();
    source.terms = snapshot.sources[i];
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
    sink.terms = snapshot.sinks[i];
    sink.progress = sinks_[i]->progress();
    view.sinks.push_back(std::move(sink));
  }
  view.journaled = snapshot.journaled;
  view.journal_used_bytes = snapshot.used_bytes;
  view.journal_max_bytes = snapshot.max_bytes;
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

}  // namespace hbagent
