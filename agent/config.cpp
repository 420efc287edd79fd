#include "config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "http.hpp"
#include "journal/disk_journal.hpp"
#include "schema.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kMaxFileSize = 1 << 20;
constexpr std::size_t kMaxAgentId = 128;

template <class Owner, class Target>
std::vector<OptionSpec> specs_of() {
  const auto& table = hb::option_table<Owner, Target>();
  return read_option_table(table.data(), static_cast<std::uint32_t>(table.size()));
}

// What [[source]], [[processor]] and [[sink]] are, and top-level tables.
const std::vector<std::string>& top_level_keys() {
  static const std::vector<std::string> keys = {"agent", "journal", "http", "source", "processor", "sink"};
  return keys;
}

Place place_of_key(const toml::key& key) {
  return {static_cast<unsigned>(key.source().begin.line), static_cast<unsigned>(key.source().begin.column)};
}

// For a table at the top that is perhaps meant to be a plugin's.
std::string of_a_plugin(const std::string& name, const toml::node& node) {
  return fmt::format("; a table of a source is {0}source.{1}{2}", node.is_array() ? "[[" : "[", name,
                     node.is_array() ? "]]" : "]");
}

std::optional<toml::table> parse_file(const std::filesystem::path& file, Problems& problems) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    problems.add({}, fmt::format("cannot be read: {}", std::strerror(errno)));
    return std::nullopt;
  }
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    problems.add({}, "is a folder; give the path of a TOML file");
    return std::nullopt;
  }
  std::string content(kMaxFileSize + 1, '\0');  // a device may have no end
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (in.bad()) {
    problems.add({}, fmt::format("cannot be read: {}", std::strerror(errno)));
    return std::nullopt;
  }
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > kMaxFileSize) {
    problems.add({}, fmt::format("is longer than {} bytes, which no configuration is", kMaxFileSize));
    return std::nullopt;
  }
  try {
    return toml::parse(content, file.string());
  } catch (const toml::parse_error& failure) {
    const auto& at = failure.source().begin;
    problems.add({static_cast<unsigned>(at.line), static_cast<unsigned>(at.column)},
                 fmt::format("not valid TOML: {}", failure.description()));
    return std::nullopt;
  }
}

class ConfigReader {
 public:
  ConfigReader(const toml::table& root, Problems& problems) : root_(root), problems_(problems) {}

  void read_agent(AgentSection& agent) { read_section("agent", agent); }

  void read_sections(Config& config) {
    for (const auto& [key, node] : root_) {
      const std::string name(key.str());
      const auto& known = top_level_keys();
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string meant = nearest(name, known);
      problems_.add(place_of_key(key),
                    fmt::format("unknown key \"{}\";{} allowed: {}{}", name,
                                meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant), joined(known),
                                node.is_value() || !meant.empty() ? "" : of_a_plugin(name, node)));
    }
    read_agent(config.agent);
    read_section("journal", config.journal);
    check_journal(config.journal);
    if (root_.contains("http")) read_http(config.http.emplace());
    if (config.agent.id.size() > kMaxAgentId) {
      problems_.add(place_of(*root_.get("agent")), fmt::format("[agent]: \"id\" is longer than {} bytes", kMaxAgentId));
    }
  }

  void read_instances(Config& config, PluginCatalog& catalog) {
    config.sources = read_kind(HB_SOURCE, catalog);
    config.processors = read_kind(HB_PROCESSOR, catalog);
    config.sinks = read_kind(HB_SINK, catalog);
    for (InstanceConfig& sink : config.sinks) resolve_routing(sink);
    if (!root_.contains("source")) problems_.add({}, "there is no [[source]]; readings must come from somewhere");
    if (!root_.contains("sink")) problems_.add({}, "there is no [[sink]]; readings must go somewhere");
  }

 private:
  void check_journal(const JournalSection& journal) {
    const toml::node* node = root_.get("journal");
    if (node == nullptr || !node->is_table()) return;
    const toml::table& table = *node->as_table();
    if (journal.mode == JournalSection::Mode::disk) {
      if (journal.bound() >= DiskJournal::kMinBytes) return;
      problems_.add(place_of(*table.get("max_size")), "[journal]: \"max_size\" must be at least 2MiB in mode \"disk\"");
      return;
    }
    for (const char* key : {"path", "sync_interval"}) {
      if (!table.contains(key)) continue;
      problems_.add(place_of(*table.get(key)),
                    fmt::format("[journal]: \"{}\" is for mode \"disk\"; leave it out in mode \"memory\"", key));
    }
  }

  void read_http(HttpSection& http) {
    read_section("http", http);
    if (http.listen.empty()) return;  // a problem already
    try {
      check_listen(http.listen);
    } catch (const std::runtime_error& error) {
      problems_.add(place_of(*root_.get("http")->as_table()->get("listen")), error.what());
    }
  }

  template <class Section>
  void read_section(const char* name, Section& section) {
    static const toml::table kEmpty;
    const toml::node* node = root_.get(name);
    if (node != nullptr && !node->is_table()) {
      problems_.add(place_of(*node), fmt::format("\"{0}\" must be a table: [{0}]", name));
      return;
    }
    const std::vector<OptionSpec> specs = specs_of<Section, Section>();
    ValueTree tree;
    SchemaReader reader(problems_, tree, fmt::format("[{}]", name));
    const toml::table& table = node == nullptr ? kEmpty : *node->as_table();
    reader.check_keys(table, specs);
    const auto values = reader.read(table, specs);
    hb::assign_options<Section>(tree.composite(HB_TABLE, values), section);
  }

  std::vector<InstanceConfig> read_kind(std::uint32_t kind, PluginCatalog& catalog) {
    std::vector<InstanceConfig> instances;
    const std::string word = kind_word(kind);
    const toml::node* node = root_.get(word);
    if (node == nullptr) return instances;
    const toml::array* array = node->as_array();
    if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
      problems_.add(place_of(*node), fmt::format("\"{0}\" must be an array of tables: write [[{0}]]", word));
      return instances;
    }
    for (const toml::node& element : *array) {
      names_[kind].push_back(intended_name(*element.as_table()));
      InstanceConfig instance = read_instance(kind, *element.as_table(), catalog);
      if (instance.plugin != nullptr) check_name(kind, instance);
      instances.push_back(std::move(instance));
    }
    return instances;
  }

  // The name by which others may refer to it, even where the rest of the table is wrong.
  static std::string intended_name(const toml::table& table) {
    if (const auto name = table["name"].value<std::string>()) return *name;
    return table["plugin"].value_or(std::string());
  }

  InstanceConfig read_instance(std::uint32_t kind, const toml::table& table, PluginCatalog& catalog) {
    InstanceConfig instance;
    instance.place = place_of(table);
    instance.key_places = key_places_of(table);
    instance.values = std::make_unique<ValueTree>();
    const std::string word = kind_word(kind);
    const toml::node* plugin_key = table.get("plugin");
    const auto plugin_name = table["plugin"].value<std::string>();
    const std::vector<OptionSpec> own = agent_keys_of(kind);
    if (!plugin_name) {
      const std::string text = plugin_key == nullptr ? "\"plugin\" is missing: which plugin is it?"
                                                     : "\"plugin\" must be a string, a plugin's name";
      problems_.add(plugin_key == nullptr ? instance.place : place_of(*plugin_key), word + ": " + text);
      return instance;
    }
    const std::string subject = fmt::format("{} \"{}\"", word, table["name"].value_or(*plugin_name));
    try {
      instance.plugin = &catalog.find(kind, *plugin_name);
    } catch (const std::runtime_error& error) {
      problems_.add(place_of(*plugin_key), subject + ": " + error.what());
      return instance;
    }
    SchemaReader reader(problems_, *instance.values, subject);
    reader.check_keys(table, own, instance.plugin->options);
    if (kind == HB_SINK) refuse_empty_lists(table, subject);
    hb::assign_options<SinkKeys>(instance.values->composite(HB_TABLE, reader.read(table, own)), instance.keys);
    instance.values->root = instance.values->composite(HB_TABLE, reader.read(table, instance.plugin->options));
    if (instance.keys.name.empty()) instance.keys.name = instance.plugin->name;
    const std::uint32_t wish = instance.plugin->functions.batch_size;
    instance.batch_size = instance.keys.batch_size ? static_cast<std::uint32_t>(*instance.keys.batch_size)
                                                   : (wish == 0 ? kDefaultBatchSize : wish);
    return instance;
  }

  void check_name(std::uint32_t kind, const InstanceConfig& instance) {
    const auto& names = names_[kind];
    const std::string& name = instance.name();
    const bool plain = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
             c == '.';
    });
    if (!plain || name[0] == '.') {
      problems_.add(instance.place,
                    fmt::format("{} \"{}\": a name has 1 to 64 letters, digits, \"-\", \"_\" and \".\", "
                                "and does not begin with \".\"; set \"name\"",
                                kind_word(kind), one_line(name)));
    }
    if (std::count(names.begin(), names.end() - 1, name) > 0) {
      problems_.add(instance.place,
                    fmt::format("there is another {0} named \"{1}\"; give this one a \"name\" of its own",
                                kind_word(kind), name));
    }
  }

  // An empty list would read as "none" and mean "all".
  void refuse_empty_lists(const toml::table& table, const std::string& subject) {
    for (const char* key : {"from", "where"}) {
      const toml::array* list = table[key].as_array();
      if (list != nullptr && list->empty()) {
        problems_.add(place_of(*list), fmt::format("{}: \"{}\" must not be empty; leave it out for all", subject, key));
      }
    }
  }

  void resolve_routing(InstanceConfig& sink) {
    static constexpr std::array<std::pair<const char*, std::uint16_t>, 5> kFlags = {{{"low", HB_FLAG_LOW},
                                                                                     {"high", HB_FLAG_HIGH},
                                                                                     {"jump", HB_FLAG_JUMP},
                                                                                     {"flatline", HB_FLAG_FLATLINE},
                                                                                     {"clock", HB_FLAG_CLOCK}}};
    for (const std::string& flag : sink.keys.where) {
      for (const auto& [name, bit] : kFlags) {
        if (flag == name) sink.where = static_cast<std::uint16_t>(sink.where | bit);
      }
    }
    std::vector<std::string> sources = names_[HB_SOURCE];
    std::erase(sources, "");  // one whose name is a mistake of its own
    for (const std::string& source : sink.keys.from) {
      if (std::find(sources.begin(), sources.end(), source) != sources.end()) continue;
      const std::string meant = nearest(source, sources);
      problems_.add(sink.place,
                    fmt::format("sink \"{}\": \"from\" names \"{}\", which is no source;{} {}{}", sink.name(), source,
                                meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant),
                                sources.empty() ? "there is none with a name" : "sources: ", joined(sources)));
    }
  }

  const toml::table& root_;
  Problems& problems_;
  std::map<std::uint32_t, std::vector<std::string>> names_;
};

}  // namespace

bool InstanceConfig::same_as(const InstanceConfig& other) const {
  return std::string_view(plugin->name) == other.plugin->name && keys == other.keys && batch_size == other.batch_size &&
         equal_values(values->root, other.values->root);
}

std::filesystem::path Config::journal_folder() const {
  return journal.path.empty() ? std::filesystem::path(agent.data_dir) / "journal" : std::filesystem::path(journal.path);
}

std::vector<OptionSpec> agent_keys_of(std::uint32_t kind) {
  if (kind == HB_SOURCE) return specs_of<SourceKeys, InstanceKeys>();
  if (kind == HB_PROCESSOR) return specs_of<ProcessorKeys, InstanceKeys>();
  return specs_of<SinkKeys, InstanceKeys>();
}

std::optional<AgentSection> load_agent_section(const std::filesystem::path& file, Problems& problems) {
  const auto root = parse_file(file, problems);
  if (!root) return std::nullopt;
  AgentSection agent;
  ConfigReader(*root, problems).read_agent(agent);
  return problems.empty() ? std::optional(agent) : std::nullopt;
}

std::unique_ptr<Config> load_config(const std::filesystem::path& file, const std::vector<std::string>& plugin_dirs,
                                    std::unique_ptr<PluginCatalog>& catalog, Problems& problems) {
  const auto root = parse_file(file, problems);
  if (!root) return nullptr;
  auto config = std::make_unique<Config>();
  config->file = file;
  ConfigReader reader(*root, problems);
  reader.read_sections(*config);
  if (config->agent.id.empty()) {
    std::array<char, 256> host{};
    config->agent.id = gethostname(host.data(), host.size() - 1) == 0 ? host.data() : "hbagent";
  }
  std::vector<std::string> folders = plugin_dirs;
  folders.insert(folders.end(), config->agent.plugin_dirs.begin(), config->agent.plugin_dirs.end());
  catalog = std::make_unique<PluginCatalog>(plugin_folders(folders));
  reader.read_instances(*config, *catalog);
  return problems.empty() ? std::move(config) : nullptr;
}

std::shared_ptr<const Config> load_shared_config(const std::filesystem::path& file,
                                                 const std::vector<std::string>& plugin_dirs, Problems& problems) {
  struct Loaded {
    std::unique_ptr<PluginCatalog> catalog;
    std::unique_ptr<Config> config;
  };
  auto loaded = std::make_shared<Loaded>();
  loaded->config = load_config(file, plugin_dirs, loaded->catalog, problems);
  if (loaded->config == nullptr) return nullptr;
  return {loaded, loaded->config.get()};
}

}  // namespace hbagent
