// hbagent -c FILE: runs until stopped or done.
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "command_support.hpp"
#include "control.hpp"
#include "http.hpp"
#include "journal_gone.hpp"
#include "last_run.hpp"
#include "metrics.hpp"
#include "pipeline.hpp"
#include "text.hpp"
#include "version.hpp"

namespace hbagent {
namespace {

// Takes SIGINT, SIGTERM and SIGHUP on a thread of its own. Made before any other thread, so that all block them.
class Signals {
 public:
  explicit Signals(Logger& logger) : logger_(logger) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC);
    end_fd_ = eventfd(0, EFD_CLOEXEC);
    if (signal_fd_ < 0 || end_fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot take signals");
    thread_ = std::thread([this] { listen(); });
  }
  ~Signals() {
    const std::uint64_t one = 1;
    if (write(end_fd_, &one, sizeof one) == sizeof one) thread_.join();
    close(signal_fd_);
    close(end_fd_);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  using Clock = std::chrono::steady_clock;
  int stops() const { return stops_; }
  // When the first stop was asked for.
  std::optional<Clock::time_point> first_stop() const {
    const std::lock_guard lock(mutex_);
    return first_stop_;
  }
  static constexpr std::chrono::milliseconds kSameRequest{200};
  bool reload_wanted() const { return reload_; }
  bool take_reload() { return reload_.exchange(false); }
  // Who is told that something was asked for. Set once, before the pipeline runs.
  void on_signal(std::function<void()> told) {
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
  }

 private:
  void listen() {
    for (;;) {
      pollfd ready[2] = {{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}};
      if (poll(ready, 2, -1) < 0) continue;
      if (ready[1].revents != 0) return;
      signalfd_siginfo info{};
      if (read(signal_fd_, &info, sizeof info) != sizeof info) continue;
      if (info.ssi_signo == SIGHUP) {
        reload_ = true;
        logger_.info("agent", "SIGHUP: reading the configuration again");
        tell();
        continue;
      }
      // `timeout` and shells signal a process and then its group: that is one request.
      const auto now = std::chrono::steady_clock::now();
      if (stops_ > 0 && now - last_stop_ < kSameRequest) continue;
      last_stop_ = now;
      const int before = stops_;
      {
        const std::lock_guard lock(mutex_);
        if (before == 0) first_stop_ = now;
      }
      ++stops_;
      const char* name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
      logger_.info("agent", before == 0 ? fmt::format("{}: stopping; a second signal stops at once", name)
                                        : fmt::format("{} again: stopping at once", name));
      tell();
    }
  }

  void tell() {
    const std::lock_guard lock(mutex_);
    if (told_) told_();
  }

  Logger& logger_;
  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::atomic<int> stops_{0};
  std::atomic<bool> reload_{false};
  Clock::time_point last_stop_;
  mutable std::mutex mutex_;
  std::optional<Clock::time_point> first_stop_;
  std::function<void()> told_;
  std::thread thread_;
};

HttpAnswer answer_http(const Pipeline& pipeline, const std::string& path) {
  static constexpr const char* kText = "text/plain; charset=utf-8";
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(pipeline)};
  if (path == "/api/v1/status") return {200, "application/json", status_json(pipeline)};
  if (path == "/healthz") return {200, kText, "alive\n"};
  if (path == "/readyz") {
    const auto reasons = pipeline.not_ready();
    if (reasons.empty()) return {200, kText, "ready\n"};
    return {503, kText, joined(reasons, "\n") + "\n"};
  }
  return {404, kText, "there is /metrics, /healthz, /readyz and /api/v1/status\n"};
}

void log_end(Logger& logger, const Pipeline& pipeline) {
  const Pipeline::View view = pipeline.view();
  for (const auto& source : view.sources) {
    logger.info("source/" + source.name,
                fmt::format("received {}, journaled {}, discarded {}, dead-lettered {}, removed {}",
                            grouped(source.terms.received), grouped(source.terms.journaled),
                            grouped(total(source.terms.discarded)), grouped(total(source.terms.dead_lettered)),
                            grouped(total(source.terms.removed))));
  }
  for (const auto& sink : view.sinks) {
    logger.info(
        "sink/" + sink.name,
        fmt::format("delivered {} ({} of them stored before), filtered {}, rejected {}, dropped {}, pending {}",
                    grouped(sink.terms.delivered), grouped(sink.terms.duplicate), grouped(sink.terms.filtered),
                    grouped(total(sink.terms.rejected)), grouped(sink.terms.dropped), grouped(sink.terms.pending)));
  }
}

// The endpoint that the configuration asks for, where one is asked for at all.
class Endpoint {
 public:
  explicit Endpoint(const Pipeline& pipeline) : pipeline_(pipeline) {}

  // Throws std::runtime_error, and keeps what there is, where it cannot listen.
  void follow(const Config& config) {
    const std::string listen = config.http ? config.http->listen : "";
    if (listen == listen_) return;
    std::unique_ptr<HttpServer> next;
    if (!listen.empty()) {
      next = std::make_unique<HttpServer>(listen,
                                          [this](const std::string& path) { return answer_http(pipeline_, path); });
    }
    server_.swap(next);
    listen_ = listen;
  }
  std::string description() const { return server_ ? ", http on " + server_->address() : ""; }

 private:
  const Pipeline& pipeline_;
  std::unique_ptr<HttpServer> server_;
  std::string listen_;
};

// What is wrong is told, and changes nothing.
void reload(const RunOptions& options, Pipeline& pipeline, Endpoint& endpoint, Logger& logger) {
  Problems problems(options.config.string());
  const auto next = load_shared_config(options.config, options.plugin_dirs, problems);
  try {
    if (next != nullptr) endpoint.follow(*next);
    if (next != nullptr && pipeline.reload(next, problems)) return;
    endpoint.follow(*pipeline.view().config);
  } catch (const std::runtime_error& error) {
    problems.add({}, error.what());
  }
  for (const std::string& line : problems.lines()) logger.error("agent", line);
  logger.error("agent", "not reloaded: the configuration as it was goes on");
}

// Runs until a stop is asked for, or nothing is left to do; reloads on the way.
Pipeline::Outcome wait_for_end(const RunOptions& options, Pipeline& pipeline, Endpoint& endpoint, Control& control,
                               LastRun& last_run, Signals& signals, Logger& logger) {
  for (;;) {
    const auto outcome = pipeline.wait([&] { return signals.stops() > 0 || signals.reload_wanted(); });
    if (signals.stops() > 0 || !signals.take_reload()) return outcome;
    control.pause("the agent has just read its configuration again");
    reload(options, pipeline, endpoint, logger);
    control.resume();
    last_run.store_soon();
  }
}

const char* end_word(Pipeline::Outcome outcome, bool joined_all, const Signals& signals) {
  if (outcome == Pipeline::Outcome::nothing_left || !joined_all || signals.stops() > 1) return "aborted";
  return outcome == Pipeline::Outcome::all_done && signals.stops() == 0 ? "finished" : "stopped";
}

int stop_pipeline(Pipeline& pipeline, Pipeline::Outcome outcome, LastRun& last_run, Signals& signals, Logger& logger) {
  const auto shutdown_timeout = pipeline.view().config->agent.shutdown_timeout;
  if (outcome == Pipeline::Outcome::nothing_left) {
    logger.error("agent",
                 "every source or every sink has failed: stopping; mend what the lines above name and start again");
  }
  // Finished sources wait for their sinks as long as it takes; a stop only as long as the operator allows, and a second
  // one not at all.
  const auto from_now = Pipeline::within(shutdown_timeout);
  const bool joined_all = pipeline.stop([&]() -> Signals::Clock::time_point {
    if (signals.stops() > 1) return Signals::Clock::time_point{};
    if (const auto first = signals.first_stop()) return *first + shutdown_timeout;
    return outcome == Pipeline::Outcome::all_done ? Signals::Clock::time_point::max() : from_now();
  });
  log_end(logger, pipeline);
  last_run.end(end_word(outcome, joined_all, signals));
  const std::uint64_t pending = pipeline.pending();
  if (pending > 0 && pipeline.keeps_pending()) {
    logger.info("agent", fmt::format("stopped with {} readings undelivered: the journal keeps them for the next start",
                                     grouped(pending)));
  } else if (pending > 0) {
    logger.warn("agent", fmt::format("stopped with {} readings undelivered; sources that can redeliver (Kafka, files) "
                                     "will; those of others are lost",
                                     grouped(pending)));
  }
  if (!joined_all) {
    std::fflush(nullptr);
    std::_Exit(kExitFailed);  // a thread is stuck inside a plugin: there is no clean way out
  }
  const bool failed = pipeline.any_failed() || (pending > 0 && !pipeline.keeps_pending());
  logger.info("agent", failed ? "stopped; not everything went well, see above" : "stopped");
  return failed ? kExitFailed : kExitDone;
}

// The agent goes on with a new journal: its sources have more to give, and what is gone does not come back by waiting.
void tell_journal_gone(const Config& config, Logger& logger) {
  try {
    const auto gone = journal_gone(config);
    if (!gone || gone->readings.empty()) return;
    logger.error(
        "journal",
        fmt::format("the last run had readings to deliver in the journal in {} ({}, by its figures of {}), but "
                    "no journal is there: they are lost, unless the folder is put back before a start; a new "
                    "one is made now",
                    config.journal_folder().string(), gone->readings, gone->written_at));
  } catch (const std::runtime_error& error) {
    logger.warn("journal", fmt::format("the journal is new, and whether the last run left readings in another is not "
                                       "known: {}",
                                       error.what()));
  }
}

// What run_agent would find, without making anything.
void check_data_dir(const std::string& data_dir, Problems& problems) {
  std::filesystem::path there = std::filesystem::absolute(data_dir);
  std::error_code unknown;
  while (!std::filesystem::exists(there, unknown) && there.has_relative_path()) there = there.parent_path();
  int error = unknown.value();
  if (error == 0 && !std::filesystem::is_directory(there, unknown)) error = ENOTDIR;
  if (error == 0 && access(there.c_str(), W_OK | X_OK) != 0) error = errno;
  if (error == 0) return;
  problems.add({}, fmt::format("data_dir \"{}\" cannot be used: cannot write to {}: {}; set data_dir in [agent] to a "
                               "folder that this user may write to, or check as the user that the agent runs as",
                               data_dir, there.string(), std::strerror(error)));
}

}  // namespace

int run_agent(const RunOptions& options) {
  Logger logger(options.log_format, options.log_level);
  Problems problems(options.config.string());
  const auto config = load_shared_config(options.config, options.plugin_dirs, problems);
  if (config == nullptr) {
    print_problems(problems);
    return kExitUsage;
  }
  Signals signals(logger);
  try {
    tell_journal_gone(*config, logger);
    Pipeline pipeline(config, logger);
    signals.on_signal([&] { pipeline.poke(); });
    // Before the pipeline goes, also by an exception: nobody tells it any more.
    const std::unique_ptr<Signals, void (*)(Signals*)> untold(&signals,
                                                              [](Signals* each) { each->on_signal(nullptr); });
    Endpoint endpoint(pipeline);
    endpoint.follow(*config);
    Control control(pipeline, [&](const std::string& path) { return answer_http(pipeline, path); });
    if (!pipeline.start(problems)) {
      print_problems(problems);
      return kExitUsage;
    }
    control.resume();
    logger.info("agent", fmt::format("hbagent {} runs as \"{}\" with {}: {} source(s), {} processor(s), {} sink(s){}",
                                     kVersion, config->agent.id, options.config.string(), config->sources.size(),
                                     config->processors.size(), config->sinks.size(), endpoint.description()));
    LastRun last_run(
        config->agent.data_dir, [&] { return status_json(pipeline); }, logger);
    const auto outcome = wait_for_end(options, pipeline, endpoint, control, last_run, signals, logger);
    control.pause("the agent stops");
    return stop_pipeline(pipeline, outcome, last_run, signals, logger);
  } catch (const DiskFull& error) {
    print_error("{}: {}\n", options.config.string(), error.what());
    return kExitFailed;
  } catch (const std::runtime_error& error) {
    print_error("{}: {}\n", options.config.string(), error.what());
    return kExitUsage;
  }
}

int check_config(const RunOptions& options, bool connect) {
  Logger logger(options.log_format, options.log_level);
  Problems problems(options.config.string());
  std::unique_ptr<PluginCatalog> catalog;
  const auto config = load_config(options.config, options.plugin_dirs, catalog, problems);
  int failures = 0;
  if (config != nullptr) {
    check_data_dir(config->agent.data_dir, problems);
    const auto check_one = [&](std::uint32_t kind, const InstanceConfig& each) {
      // No state_dir: nothing on disk is touched.
      Instance instance(kind, each, logger, {}, nullptr);
      std::string error;
      if (!instance.create(error)) {
        problems.add(each.place_of_error(error), instance.component() + ": " + error);
        return;
      }
      if (!connect) return;
      const std::int32_t status = instance.open(error);
      if (status == HB_OK) {
        print_output("{}: connected\n", instance.component());
      } else {
        print_output("{}: cannot connect: {}\n", instance.component(), error);
        ++failures;
      }
    };
    for (const InstanceConfig& each : config->sources) check_one(HB_SOURCE, each);
    for (const InstanceConfig& each : config->processors) check_one(HB_PROCESSOR, each);
    for (const InstanceConfig& each : config->sinks) check_one(HB_SINK, each);
  }
  print_problems(problems);
  if (!problems.empty()) return kExitUsage;
  if (failures > 0) return kExitFailed;
  print_output("{}: good: {} source(s), {} processor(s), {} sink(s){}\n", options.config.string(),
               config->sources.size(), config->processors.size(), config->sinks.size(),
               connect ? ", all connected" : "");
  return kExitDone;
}

}  // namespace hbagent
