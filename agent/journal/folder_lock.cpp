#include "journal/folder_lock.hpp"

#include <fcntl.h>

#include <cerrno>
#include <system_error>

namespace hbagent {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::filesystem::path lock_file(const std::filesystem::path& folder) {
  return folder / "lock";
}

// The whole file, for the open file description and not for the process: who asks about it can do so without taking it,
// and closing another descriptor of the file does not let go of it.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto file = lock_file(folder);
  fd_ = UniqueFd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) throw_errno("cannot open " + file.string());
  struct flock lock = whole_file();
  held_ = fcntl(fd_.get(), F_OFD_SETLK, &lock) == 0;
  if (!held_ && errno != EAGAIN && errno != EACCES) throw_errno("cannot lock " + file.string());
}

bool FolderLock::is_held(const std::filesystem::path& folder) {
  const auto file = lock_file(folder);
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return false;
  if (!fd) throw_errno("cannot open " + file.string());
  struct flock lock = whole_file();
  if (fcntl(fd.get(), F_OFD_GETLK, &lock) != 0) throw_errno("cannot look at the lock of " + file.string());
  return lock.l_type != F_UNLCK;
}

}  // namespace hbagent
