#include "journal/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <system_error>

namespace hbagent {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto file = folder / "lock";
  fd_ = UniqueFd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) throw std::system_error(errno, std::generic_category(), "cannot open " + file.string());
  held_ = flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
  if (!held_ && errno != EWOULDBLOCK) {
    throw std::system_error(errno, std::generic_category(), "cannot lock " + file.string());
  }
}

}  // namespace hbagent
