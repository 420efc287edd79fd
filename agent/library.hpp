// Finds plugin libraries, loads them with Boost.DLL, and holds what they offer. Nothing is ever unloaded: threads and
// destructors of the client libraries beneath live until the process ends.
#pragma once

#include <hbagent/plugin.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "option_spec.hpp"

namespace hbagent {

// One plugin of a library, checked against the ABI's rules.
struct Plugin {
  hb_plugin functions{};  // copied by the size rule: fields the library does not have are null
  std::uint32_t kind = 0;
  std::string name, version, summary;
  std::vector<OptionSpec> options;
  std::filesystem::path library;
};

std::string kind_word(std::uint32_t kind);  // "source", "processor", "sink"

// Not thread-safe: used by the main thread, before the instances run. Plugins stay where they are until it goes.
class PluginCatalog {
 public:
  // Folders in the order in which they are searched; those that do not exist are passed over.
  explicit PluginCatalog(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}

  // `name` is the plugin's name, which is also its library's file name, or a path with a slash to a library with one
  // plugin of that kind. Throws std::runtime_error that says where was looked and what there is.
  const Plugin& find(std::uint32_t kind, const std::string& name);

  // All plugins of one library. Throws std::runtime_error.
  const std::vector<std::unique_ptr<Plugin>>& load(const std::filesystem::path& library);

  // Every library in the folders, sorted by name; of two of the same name the first folder's.
  std::vector<std::filesystem::path> libraries() const;
  const std::vector<std::filesystem::path>& folders() const { return folders_; }

 private:
  std::vector<std::filesystem::path> folders_;
  std::map<std::filesystem::path, std::vector<std::unique_ptr<Plugin>>> loaded_;
};

// Where plugins are looked for: `first`, then HBAGENT_PLUGIN_PATH (colon-separated), then the folder that belongs to
// the running binary (../lib/hbagent/plugins beside its folder, or the installed one).
std::vector<std::filesystem::path> plugin_folders(const std::vector<std::string>& first);

}  // namespace hbagent
