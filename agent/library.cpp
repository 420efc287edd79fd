#include "library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "schema.hpp"
#include "text.hpp"

namespace fs = std::filesystem;

namespace hbagent {
namespace {

constexpr std::uint32_t kMaxPluginsPerLibrary = 64;
constexpr const char* kEntrySymbol = "hb_plugin_v1";

// Code that others can change must not run with the agent's rights.
void refuse_if_writable_by_others(const fs::path& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) throw std::runtime_error(fmt::format("cannot stat: {}", std::strerror(errno)));
  if ((info.st_mode & S_IWOTH) != 0) {
    throw std::runtime_error(fmt::format("{} is writable by others; chmod o-w it", path.string()));
  }
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    throw std::runtime_error(fmt::format("{} belongs to another user (uid {})", path.string(), info.st_uid));
  }
}

// The library's plugin struct, as far as both sides know it.
hb_plugin copy_by_size(const hb_plugin* raw) {
  hb_plugin copy{};
  const std::size_t known = offsetof(hb_plugin, create);
  if (raw->size < known) throw std::runtime_error(fmt::format("its plugin struct of {} bytes is too small", raw->size));
  std::memcpy(&copy, raw, std::min<std::size_t>(raw->size, sizeof copy));
  return copy;
}

void require(bool present, const char* what) {
  if (!present) throw std::runtime_error(fmt::format("its plugin struct lacks {}", what));
}

std::unique_ptr<Plugin> read_plugin(const hb_plugin* raw, const fs::path& library) {
  auto plugin = std::make_unique<Plugin>();
  plugin->functions = copy_by_size(raw);
  const hb_plugin& functions = plugin->functions;
  require(functions.name != nullptr && *functions.name != '\0', "a name");
  require(functions.kind >= HB_SOURCE && functions.kind <= HB_SINK, "a known kind");
  require(functions.create != nullptr, "create");
  require(functions.destroy != nullptr, "destroy");
  require(functions.kind != HB_SOURCE || functions.run != nullptr, "run, which a source needs");
  require(functions.kind != HB_PROCESSOR || functions.process != nullptr, "process, which a processor needs");
  require(functions.kind != HB_SINK || functions.write != nullptr, "write, which a sink needs");
  plugin->kind = functions.kind;
  plugin->name = functions.name;
  plugin->version = functions.version == nullptr ? "" : functions.version;
  plugin->summary = functions.summary == nullptr ? "" : functions.summary;
  plugin->options = read_option_table(functions.options, functions.option_count);
  for (const OptionSpec& option : plugin->options) {
    static_cast<void>(parse_snippet(option.key, option.default_text));
    static_cast<void>(parse_snippet(option.key, option.example_text));
  }
  plugin->library = library;
  return plugin;
}

// The file to load, free of links: what was checked is what is loaded. `path` may be a link; then its folder counts
// too.
fs::path checked(const fs::path& path) {
  std::error_code error;
  fs::path file = fs::canonical(path, error);
  if (error) throw std::runtime_error(fmt::format("cannot be found: {}", error.message()));
  refuse_if_writable_by_others(path.parent_path());
  refuse_if_writable_by_others(file);
  refuse_if_writable_by_others(file.parent_path());
  return file;
}

std::vector<std::unique_ptr<Plugin>> load_library(const fs::path& path) {
  const fs::path file = checked(path);
  namespace dll = boost::dll;
  const auto mode = static_cast<dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  dll::shared_library library;
  dll::fs::error_code error;
  library.load(file.c_str(), error, mode);
  if (error) {
    const char* reason = dlerror();  // Boost's error code says only that it failed
    if (reason == nullptr) {
      // Boost has read the message already: ask the loader once more.
      static_cast<void>(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
      reason = dlerror();
    }
    throw std::runtime_error(fmt::format("cannot be loaded: {}", reason == nullptr ? error.message() : reason));
  }
  if (!library.has(kEntrySymbol)) {
    throw std::runtime_error(
        fmt::format("is no hbagent plugin for ABI version {}: it has no function {}; it may be made "
                    "for another major version, or be no plugin",
                    HB_ABI_MAJOR, kEntrySymbol));
  }
  auto& entry = library.get<hb_plugin_entry>(kEntrySymbol);
  std::vector<std::unique_ptr<Plugin>> plugins;
  try {
    for (std::uint32_t index = 0; const hb_plugin* raw = entry(index); ++index) {
      if (index == kMaxPluginsPerLibrary) throw std::runtime_error("its list of plugins does not end");
      plugins.push_back(read_plugin(raw, path));
    }
  } catch (const std::runtime_error&) {
    throw;
  } catch (...) {
    throw std::runtime_error(fmt::format("{} threw an exception across the ABI", kEntrySymbol));
  }
  if (plugins.empty()) throw std::runtime_error("offers no plugin");
  return plugins;
}

}  // namespace

std::string kind_word(std::uint32_t kind) {
  return kind == HB_SOURCE ? "source" : kind == HB_PROCESSOR ? "processor" : "sink";
}

const std::vector<std::unique_ptr<Plugin>>& PluginCatalog::load(const fs::path& library) {
  const auto known = loaded_.find(library);
  if (known != loaded_.end()) return known->second;
  try {
    return loaded_.emplace(library, load_library(library)).first->second;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(fmt::format("plugin library {}: {}", library.string(), error.what()));
  }
}

std::vector<fs::path> PluginCatalog::libraries() const {
  std::map<std::string, fs::path> by_name;
  for (const fs::path& folder : folders_) {
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder, missing)) {
      if (entry.path().extension() == ".so") by_name.emplace(entry.path().stem().string(), entry.path());
    }
  }
  std::vector<fs::path> paths;
  paths.reserve(by_name.size());
  for (const auto& [name, path] : by_name) paths.push_back(path);
  return paths;
}

const Plugin& PluginCatalog::find(std::uint32_t kind, const std::string& name) {
  fs::path library;
  const bool is_path = name.find('/') != std::string::npos;
  if (is_path) {
    library = fs::absolute(name);
    if (!fs::exists(library)) throw std::runtime_error(fmt::format("there is no plugin library {}", library.string()));
  } else {
    for (const fs::path& folder : folders_) {
      if (fs::exists(folder / (name + ".so"))) {
        library = folder / (name + ".so");
        break;
      }
    }
  }
  std::vector<std::string> names;
  for (const fs::path& path : libraries()) names.push_back(path.stem().string());
  if (library.empty()) {
    std::vector<std::string> searched;
    for (const fs::path& folder : folders_) searched.push_back(folder.string());
    const std::string meant = nearest(name, names);
    throw std::runtime_error(fmt::format("there is no plugin \"{}\";{} available: {}; searched: {}", name,
                                         meant.empty() ? "" : fmt::format(" did you mean \"{}\"?", meant),
                                         names.empty() ? "none" : joined(names), joined(searched)));
  }
  std::vector<std::string> offered;
  for (const auto& plugin : load(library)) {
    if (plugin->kind == kind && (is_path || plugin->name == name)) return *plugin;
    offered.push_back(fmt::format("{} \"{}\"", kind_word(plugin->kind), plugin->name));
  }
  throw std::runtime_error(fmt::format("plugin library {} has no {} \"{}\"; it offers: {}", library.string(),
                                       kind_word(kind), name, joined(offered)));
}

std::vector<fs::path> plugin_folders(const std::vector<std::string>& first) {
  std::vector<fs::path> folders(first.begin(), first.end());
  if (const char* path = std::getenv("HBAGENT_PLUGIN_PATH")) {
    const std::string list(path);
    for (std::size_t start = 0; start <= list.size();) {
      const std::size_t end = std::min(list.find(':', start), list.size());
      if (end > start) folders.emplace_back(list.substr(start, end - start));
      start = end + 1;
    }
  }
  const fs::path binary_folder = boost::dll::program_location().parent_path().string();
  folders.push_back((binary_folder / ".." / "lib" / "hbagent" / "plugins").lexically_normal());
  folders.emplace_back(HBAGENT_INSTALLED_PLUGIN_DIR);
  std::vector<fs::path> unique;
  for (const fs::path& folder : folders) {
    if (std::find(unique.begin(), unique.end(), folder) == unique.end()) unique.push_back(folder);
  }
  return unique;
}

}  // namespace hbagent
