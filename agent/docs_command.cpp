// hbagent plugins, init and --version.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "command_support.hpp"
#include "library.hpp"
#include "plugin_docs.hpp"
#include "text.hpp"
#include "version.hpp"

namespace hbagent {
namespace {

// Every plugin that loads, sources first. Libraries that do not load are reported on stderr and counted.
std::vector<const Plugin*> all_plugins(PluginCatalog& catalog, int& broken) {
  std::vector<const Plugin*> plugins;
  for (const auto& library : catalog.libraries()) {
    try {
      for (const auto& plugin : catalog.load(library)) plugins.push_back(plugin.get());
    } catch (const std::runtime_error& error) {
      print_error("{}\n", error.what());
      ++broken;
    }
  }
  std::stable_sort(plugins.begin(), plugins.end(), [](const Plugin* a, const Plugin* b) { return a->kind < b->kind; });
  return plugins;
}

std::string searched(const PluginCatalog& catalog) {
  std::vector<std::string> folders;
  for (const auto& folder : catalog.folders()) folders.push_back(folder.string());
  return joined(folders);
}

// Plugins of that name, of any kind. Loads only their own library.
std::vector<const Plugin*> named(PluginCatalog& catalog, const std::string& name, std::uint32_t kind,
                                 std::string& error) {
  std::vector<const Plugin*> found;
  for (const std::uint32_t each : {HB_SOURCE, HB_PROCESSOR, HB_SINK}) {
    if (kind != 0 && kind != each) continue;
    try {
      found.push_back(&catalog.find(each, name));
    } catch (const std::runtime_error& failure) {
      error = failure.what();
    }
  }
  return found;
}

// "source:kafka" -> kind and name; "kafka" -> any kind.
std::uint32_t split_kind(std::string& name) {
  for (const std::uint32_t kind : {HB_SOURCE, HB_PROCESSOR, HB_SINK}) {
    const std::string prefix = kind_word(kind) + ":";
    if (name.rfind(prefix, 0) == 0) {
      name.erase(0, prefix.size());
      return kind;
    }
  }
  return 0;
}

}  // namespace

int show_plugins(const std::vector<std::string>& plugin_dirs, const std::string& name, bool markdown) {
  PluginCatalog catalog(plugin_folders(plugin_dirs));
  if (!name.empty()) {
    std::string plain = name, error;
    const std::uint32_t kind = split_kind(plain);
    const auto plugins = named(catalog, plain, kind, error);
    if (plugins.empty()) {
      print_error("{}\n", error);
      return kExitUsage;
    }
    for (std::size_t i = 0; i < plugins.size(); ++i) {
      print_output("{}{}", i == 0 ? "" : "\n", markdown ? plugin_markdown(*plugins[i]) : plugin_help(*plugins[i]));
    }
    return kExitDone;
  }
  int broken = 0;
  for (const Plugin* plugin : all_plugins(catalog, broken)) {
    print_output("{:<10} {:<14} {}\n", kind_word(plugin->kind), plugin->name, plugin->summary);
  }
  print_output("\nhbagent plugins NAME documents one. Searched: {}\n", searched(catalog));
  return broken == 0 ? kExitDone : kExitFailed;
}

int init_config(const std::vector<std::string>& plugin_dirs, const std::vector<std::string>& plugins) {
  PluginCatalog catalog(plugin_folders(plugin_dirs));
  std::string body;
  for (std::string name : plugins) {
    const std::uint32_t kind = split_kind(name);
    std::string error;
    auto found = named(catalog, name, kind, error);
    if (found.empty()) {
      print_error("{}\n", error);
      return kExitUsage;
    }
    if (found.size() > 1) {
      print_error("\"{0}\" is a source and a sink: name it source:{0} or sink:{0}\n", name);
      return kExitUsage;
    }
    body += "\n" + plugin_sample(*found.front());
  }
  print_output(
      "# Configuration of hbagent. Check it with: hbagent check -c FILE\n\n"
      "[agent]\n"
      "## Name of this agent in logs and metrics; the host name where absent.\n"
      "# id = \"edge-01\"\n"
      "## Folder for dead letters and the state of plugins. One running agent to a folder.\n"
      "data_dir = \"/var/lib/hbagent\"\n\n"
      "[http]\n"
      "## /metrics (Prometheus), /healthz, /readyz, /api/v1/status\n"
      "listen = \"127.0.0.1:9464\"\n"
      "{}",
      body);
  return kExitDone;
}

int show_version(const std::vector<std::string>& plugin_dirs) {
  const PluginCatalog catalog(plugin_folders(plugin_dirs));
  print_output("hbagent {}\nplugin ABI {}\nplugin folders: {}\n", kVersion, kAbiVersion, searched(catalog));
  return kExitDone;
}

}  // namespace hbagent
