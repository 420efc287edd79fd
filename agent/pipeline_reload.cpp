// Going over to another configuration without a restart.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pipeline.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

bool same(const std::vector<InstanceConfig>& a, const std::vector<InstanceConfig>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const InstanceConfig& x, const InstanceConfig& y) { return x.same_as(y); });
}

bool has(const std::vector<InstanceConfig>& instances, const std::string& name) {
  return std::any_of(instances.begin(), instances.end(), [&](const auto& each) { return each.name() == name; });
}

template <class Slots>
std::vector<std::string> names_of(const Slots& slots) {
  std::vector<std::string> names;
  for (const auto& runner : slots) names.push_back(runner->instance().config().name());
  return names;
}

// What a reload has done, for one line of the log.
class Changes {
 public:
  // `waiting`: readings that the journal keeps for those that have ended, by name.
  void tell(const char* kind, const std::vector<InstanceConfig>& before, const std::vector<InstanceConfig>& now,
            const std::vector<std::string>& begun, const std::map<std::string, std::uint64_t>& waiting) {
    for (const InstanceConfig& each : now) {
      if (std::find(begun.begin(), begun.end(), each.name()) == begun.end()) {
        ++unchanged_;
      } else {
        told_.push_back(
            fmt::format("{} \"{}\" {}", kind, each.name(), has(before, each.name()) ? "restarted" : "added"));
      }
    }
    for (const InstanceConfig& each : before) {
      if (has(now, each.name())) continue;
      const auto found = waiting.find(each.name());
      told_.push_back(fmt::format("{} \"{}\" ended", kind, each.name()));
      if (found != waiting.end()) told_.back() += fmt::format(" ({} readings wait for it)", grouped(found->second));
    }
  }
  void tell(const std::string& what) { told_.push_back(what); }

  std::string text() const {
    const std::string changed = joined(told_);
    if (unchanged_ == 0) return changed;
    return fmt::format("{}{}{} unchanged", changed, changed.empty() ? "" : "; ", unchanged_);
  }

 private:
  std::vector<std::string> told_;
  std::size_t unchanged_ = 0;
};

}  // namespace

bool Pipeline::needs_restart(const Config& next, Problems& problems) const {
  const auto check = [&](const char* what, bool equal) {
    if (!equal) problems.add({}, fmt::format("{} cannot change while the agent runs: restart it", what));
  };
  const std::size_t before = problems.lines().size();
  check("[agent] data_dir", next.agent.data_dir == config_->agent.data_dir);
  check("[agent] dead_letter_max_size",
        next.agent.dead_letter_max_size.value == config_->agent.dead_letter_max_size.value);
  // A folder that is in data_dir only because the file names none is told with data_dir.
  const bool same_folder = (next.journal.path.empty() && config_->journal.path.empty()) ||
                           next.journal_folder() == config_->journal_folder();
  check("[journal]", next.journal.mode == config_->journal.mode && same_folder &&
                         next.journal.bound() == config_->journal.bound() &&
                         next.journal.sync_interval == config_->journal.sync_interval &&
                         next.journal.when_full == config_->journal.when_full);
  return problems.lines().size() > before;
}

bool Pipeline::reload(std::shared_ptr<const Config> next, Problems& problems) {
  if (needs_restart(*next, problems)) return false;
  const bool same_processors = same(config_->processors, next->processors);
  // Which of the running ones does what the new configuration says? One that has failed gets another chance.
  const auto find = [&](auto& slots, const InstanceConfig& wanted) {
    return std::find_if(slots.begin(), slots.end(), [&](const auto& slot) {
      return slot->instance().config().same_as(wanted) && !board_.read([&] { return slot->failed(); });
    });
  };
  Sources fresh_sources;
  Sinks fresh_sinks;
  for (std::size_t i = 0; i < next->sources.size(); ++i) {
    const bool kept = same_processors && find(sources_, next->sources[i]) != sources_.end();
    if (!kept) fresh_sources.push_back(make_source(next, i));
  }
  for (std::size_t i = 0; i < next->sinks.size(); ++i) {
    if (find(sinks_, next->sinks[i]) == sinks_.end()) fresh_sinks.push_back(make_sink(next, i));
  }
  if (!create(fresh_sources, fresh_sinks, problems)) return false;  // their destructors join them

  const std::shared_ptr<const Config> before = config_;
  const auto begun_sources = names_of(fresh_sources), begun_sinks = names_of(fresh_sinks);
  Sources ending_sources;
  Sinks ending_sinks;
  {
    // The new order, with what goes on at its place.
    const std::lock_guard lock(slots_mutex_);
    const auto replace = [&](auto& slots, auto& fresh, auto& ending, const auto& wanted, bool keep) {
      std::remove_reference_t<decltype(slots)> order;
      auto next_fresh = fresh.begin();
      for (const InstanceConfig& instance : wanted) {
        const auto kept = keep ? find(slots, instance) : slots.end();
        if (kept == slots.end()) {
          order.push_back(std::move(*next_fresh++));
        } else {
          order.push_back(std::move(*kept));
          slots.erase(kept);
        }
      }
      ending = std::move(slots);
      slots = std::move(order);
    };
    replace(sources_, fresh_sources, ending_sources, next->sources, same_processors);
    replace(sinks_, fresh_sinks, ending_sinks, next->sinks, true);
    config_ = next;
  }
  const Deadline deadline = within(next->agent.shutdown_timeout);
  end_sources(std::move(ending_sources), deadline);
  const auto waiting = end_sinks(std::move(ending_sinks), *next, deadline);
  go(false);
  {
    const std::lock_guard lock(slots_mutex_);
    ++reloads_;
  }
  Changes changes;
  if (!same_processors) changes.tell("processors changed");
  changes.tell("source", before->sources, next->sources, begun_sources, {});
  changes.tell("sink", before->sinks, next->sinks, begun_sinks, waiting);
  logger_.info("agent", fmt::format("reloaded {}: {}", next->file.filename().string(), changes.text()));
  return true;
}

void Pipeline::end_sources(Sources ending, const Deadline& deadline) {
  const auto in = [&](Phase phase) {
    return [&, phase] {
      return std::all_of(ending.begin(), ending.end(), [&](const auto& source) { return source->phase() >= phase; });
    };
  };
  for (const auto& source : ending) source->request_stop();
  wait_until(deadline, in(Phase::stopped));
  for (const auto& source : ending) source->cut();
  wait_until(deadline, in(Phase::ended));  // they store their last acks
  for (const auto& source : ending) source->release();
  board_.wait_until(PhaseBoard::Clock::now() + kGrace, in(Phase::ended));
  leave_behind(ending);
  for (const auto& source : ending) {
    if (const auto index = source->index()) journal_->remove_source(*index);
  }
}

std::map<std::string, std::uint64_t> Pipeline::end_sinks(Sinks ending, const Config& next, const Deadline& deadline) {
  const auto all_ended = [&] {
    return std::all_of(ending.begin(), ending.end(), [](const auto& sink) { return sink->phase() == Phase::ended; });
  };
  for (const auto& sink : ending) {
    // One that comes back goes on where it stopped.
    if (has(next.sinks, sink->instance().config().name())) {
      sink->abort();
      continue;
    }
    if (const auto index = sink->index()) journal_->close_sink(*index);
    waits_for_far_side(sink) ? sink->abort() : sink->drain();
  }
  if (!wait_until(deadline, all_ended)) {
    for (const auto& sink : ending) sink->abort();
    board_.wait_until(PhaseBoard::Clock::now() + kGrace, all_ended);
  }
  // Also of those that are stuck inside their plugin: whoever comes back under the name goes on where they stand.
  std::map<std::string, std::uint64_t> waiting;
  for (const auto& sink : ending) {
    const auto index = sink->index();
    if (!index) continue;
    const std::string& name = sink->instance().config().name();
    const std::uint64_t pending = journal_->snapshot().sinks[*index].pending;
    const bool for_good = !has(next.sinks, name);
    if (for_good && pending > 0) {
      if (keeps_pending()) {
        waiting[name] = pending;
      } else {
        logger_.warn(sink->instance().component(),
                     fmt::format("taken out with {} readings that it had not delivered", grouped(pending)));
      }
    }
    journal_->remove_sink(*index, for_good);
  }
  leave_behind(ending);
  return waiting;
}

// Threads that are stuck inside a plugin: they and what they refer to stay until the process ends.
template <class Slots>
void Pipeline::leave_behind(Slots& slots) {
  if (join_or_leave(slots)) return;
  left_behind_ = true;
  for (auto slot = slots.begin(); slot != slots.end();) {
    if (board_.read([&] { return (*slot)->phase(); }) == Phase::ended) {
      ++slot;
      continue;
    }
    stuck_.push_back(std::make_shared<typename Slots::value_type>(std::move(*slot)));
    slot = slots.erase(slot);
  }
}

}  // namespace hbagent
