// A Unix domain socket in a folder. The folder's path may be longer than the 107 bytes that an address holds.
#pragma once

#include <filesystem>
#include <string>

#include "journal/file_io.hpp"

namespace hbagent {

// Listens, for this user alone (mode 0600). A socket that is there already is taken to be a dead process's and
// replaced. Throws std::system_error.
UniqueFd listen_locally(const std::filesystem::path& folder, const std::string& name);

// Throws std::system_error: ENOENT or ECONNREFUSED where nobody listens.
UniqueFd connect_locally(const std::filesystem::path& folder, const std::string& name);

}  // namespace hbagent
