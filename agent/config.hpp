// The configuration file, checked: what the agent runs.
#pragma once

#include <hbagent/options.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "key_places.hpp"
#include "library.hpp"
#include "problems.hpp"
#include "values.hpp"

namespace hbagent {

using std::chrono::microseconds;

struct AgentSection {
  std::string id;
  std::string data_dir = "/var/lib/hbagent";
  std::vector<std::string> plugin_dirs;
  microseconds shutdown_timeout = std::chrono::seconds(10);
  hb::Bytes dead_letter_max_size = hb::operator""_MiB(64);

  static constexpr auto options = hb::options(
      hb::option("id", &AgentSection::id, "Name of this agent in logs and metrics; the host name where absent."),
      hb::option("data_dir", &AgentSection::data_dir,
                 "Folder for dead letters and the state of plugins. One running agent to a folder."),
      hb::option("plugin_dirs", &AgentSection::plugin_dirs, "Folders searched for plugins before the usual ones."),
      hb::option("shutdown_timeout", &AgentSection::shutdown_timeout,
                 "How long sinks may take to write what is pending after SIGTERM or SIGINT.")
          .range(std::chrono::seconds(0), std::chrono::hours(1)),
      hb::option("dead_letter_max_size", &AgentSection::dead_letter_max_size,
                 "Bound of the dead-letter file and its predecessor together; the oldest letters go first, counted.")
          .range(hb::operator""_KiB(64), hb::operator""_GiB(1024)));
};

struct JournalSection {
  enum class Mode { disk, memory };
  enum class WhenFull { block, drop_oldest };
  Mode mode = Mode::disk;
  std::string path;
  std::optional<hb::Bytes> max_size;
  microseconds sync_interval = std::chrono::milliseconds(10);
  WhenFull when_full = WhenFull::block;

  // Bytes; what the mode has where the file says nothing.
  std::uint64_t bound() const {
    if (max_size) return max_size->value;
    return (mode == Mode::disk ? hb::operator""_GiB(1) : hb::operator""_MiB(16)).value;
  }

  static constexpr auto options = hb::options(
      hb::option(
          "mode", &JournalSection::mode,
          "Where readings wait for the sinks. disk: safe, and acknowledged to the source, once synced; what waits "
          "survives kill -9 and power loss. memory: acknowledged when every sink is done; for sources such as "
          "Kafka, which can redeliver.")
          .choices("disk", "memory"),
      hb::option("path", &JournalSection::path, "Folder of the journal on disk. Default: journal in data_dir."),
      hb::option("max_size", &JournalSection::max_size,
                 "Bound of what waits, at least 2MiB on disk. Default: 1GiB on disk, 16MiB in memory.")
          .range(hb::operator""_KiB(256), hb::operator""_GiB(1024)),
      hb::option("sync_interval", &JournalSection::sync_interval,
                 "On disk: how long an append may wait for the sync that it shares with others. 0s: each append is "
                 "durable when the source's emit returns.")
          .range(std::chrono::seconds(0), std::chrono::seconds(10)),
      hb::option("when_full", &JournalSection::when_full,
                 "block: sources wait. drop_oldest: the oldest readings are dropped, counted for each sink.")
          .choices("block", "drop_oldest"));
};

struct HttpSection {
  std::string listen;

  static constexpr auto options = hb::options(
      hb::option("listen", &HttpSection::listen, "Address and port of /metrics, /healthz, /readyz and /api/v1/status.")
          .required()
          .example("\"127.0.0.1:9464\""));
};

// The agent's own keys of every instance.
struct InstanceKeys {
  std::string plugin, name;
  microseconds retry_initial = std::chrono::milliseconds(100);
  microseconds retry_max = std::chrono::seconds(30);
  std::vector<std::string> from, where;  // sinks
  enum class Start { earliest, latest };
  Start start = Start::earliest;  // sinks
  enum class Backlog { in_order, live_first };
  Backlog backlog = Backlog::in_order;     // sinks
  std::optional<std::int64_t> batch_size;  // sinks
  microseconds batch_timeout = std::chrono::milliseconds(20);

  bool operator==(const InstanceKeys&) const = default;

  static constexpr auto plugin_option =
      hb::option("plugin", &InstanceKeys::plugin, "Which plugin: its name, or the path of its library.").required();
  static constexpr auto name_option =
      hb::option("name", &InstanceKeys::name, "Name of this instance; the plugin's name where absent.");
  static constexpr auto retry_initial_option =
      hb::option("retry_initial", &InstanceKeys::retry_initial, "First wait after a failure; it doubles, with jitter.")
          .range(std::chrono::milliseconds(1), std::chrono::hours(1));
  static constexpr auto retry_max_option =
      hb::option("retry_max", &InstanceKeys::retry_max, "Longest wait between two tries.")
          .range(std::chrono::milliseconds(1), std::chrono::hours(1));
};
struct SourceKeys {
  static constexpr auto options = hb::options(InstanceKeys::plugin_option, InstanceKeys::name_option,
                                              InstanceKeys::retry_initial_option, InstanceKeys::retry_max_option);
};
struct ProcessorKeys {
  static constexpr auto options = hb::options(InstanceKeys::plugin_option, InstanceKeys::name_option);
};
struct SinkKeys {
  static constexpr auto options =
      hb::options(InstanceKeys::plugin_option, InstanceKeys::name_option,
                  hb::option("from", &InstanceKeys::from,
                             "Names of the sources whose readings it takes; every source where absent."),
                  hb::option("where", &InstanceKeys::where,
                             "Takes only readings with one of these flags; every reading where absent.")
                      .choices("low", "high", "jump", "flatline", "clock"),
                  hb::option("batch_size", &InstanceKeys::batch_size,
                             "Most readings in one write; the plugin's choice where absent.")
                      .range(1, 1'000'000),
                  hb::option("batch_timeout", &InstanceKeys::batch_timeout, "How long a batch may wait to fill.")
                      .range(std::chrono::microseconds(0), std::chrono::minutes(1)),
                  hb::option("start", &InstanceKeys::start,
                             "Where a sink begins that the journal on disk has not seen under this name: with the "
                             "oldest reading that is kept, or with the next one.")
                      .choices("earliest", "latest"),
                  hb::option("backlog", &InstanceKeys::backlog,
                             "After an outage. in_order: what waited comes first. live_first: new readings come first, "
                             "what waited behind them and in between; their order is lost.")
                      .choices("in_order", "live_first"),
                  InstanceKeys::retry_initial_option, InstanceKeys::retry_max_option);
};
inline constexpr std::uint32_t kDefaultBatchSize = 5000;

// One configured plugin instance.
struct InstanceConfig {
  const Plugin* plugin = nullptr;
  InstanceKeys keys;
  Place place;
  KeyPlaces key_places;
  std::unique_ptr<ValueTree> values;  // root: what create receives
  std::uint16_t where = 0;            // sinks: HB_FLAG_* of which one must be set; 0: every reading
  std::uint32_t batch_size = 0;       // sinks
  const std::string& name() const { return keys.name; }
  // Where a person has to look who reads why create failed.
  Place place_of_error(const std::string& error) const { return key_places.of(error, place); }
  // The same plugin with the same values, defaults and secrets included; where they stand in the file is no matter.
  bool same_as(const InstanceConfig& other) const;
};

struct Config {
  std::filesystem::path file;
  AgentSection agent;
  JournalSection journal;
  std::filesystem::path journal_folder() const;
  std::optional<HttpSection> http;
  std::vector<InstanceConfig> sources, processors, sinks;
};

// The agent's own option tables, for documentation.
std::vector<OptionSpec> agent_keys_of(std::uint32_t kind);

// Only [agent], for commands that need no plugins; the rest of the file may be wrong. nullopt when there are problems.
std::optional<AgentSection> load_agent_section(const std::filesystem::path& file, Problems& problems);

// `plugin_dirs` of the command line come before those of the file. Null when there are problems; then `problems` has
// all that could be found in one go.
std::unique_ptr<Config> load_config(const std::filesystem::path& file, const std::vector<std::string>& plugin_dirs,
                                    std::unique_ptr<PluginCatalog>& catalog, Problems& problems);
// Together with the plugins that it refers to.
std::shared_ptr<const Config> load_shared_config(const std::filesystem::path& file,
                                                 const std::vector<std::string>& plugin_dirs, Problems& problems);

}  // namespace hbagent
