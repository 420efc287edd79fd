// One process at a time to a folder.
#pragma once

#include <filesystem>

#include "journal/file_io.hpp"

namespace hbagent {

// Held until destruction, or the end of the process.
class FolderLock {
 public:
  // Makes the folder where it does not exist. Throws std::system_error.
  explicit FolderLock(const std::filesystem::path& folder);
  // False: another process holds it.
  bool held() const { return held_; }
  // Whether a process holds it now. Only looks: needs no right to write, makes no file, and is in nobody's way. Throws
  // std::system_error.
  static bool is_held(const std::filesystem::path& folder);

 private:
  UniqueFd fd_;
  bool held_ = false;
};

}  // namespace hbagent
