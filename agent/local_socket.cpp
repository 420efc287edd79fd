#include "local_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace hbagent {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr int kBacklog = 64;

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// The socket's address; by way of the open folder where the path itself has no room.
class Address {
 public:
  Address(const std::filesystem::path& folder, const std::string& name) {
    raw_.sun_family = AF_UNIX;
    std::string path = folder / name;
    if (path.size() >= sizeof raw_.sun_path) {
      folder_ = UniqueFd(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      if (!folder_) throw_errno("cannot open " + folder.string());
      path = "/proc/self/fd/" + std::to_string(folder_.get()) + '/' + name;
    }
    if (path.size() >= sizeof raw_.sun_path) {
      throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
    }
    std::memcpy(raw_.sun_path, path.c_str(), path.size() + 1);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&raw_); }
  static constexpr socklen_t kSize = sizeof(sockaddr_un);

 private:
  UniqueFd folder_;
  sockaddr_un raw_{};
};

UniqueFd make_socket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno("cannot make a socket");
  return fd;
}

}  // namespace

UniqueFd listen_locally(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path path = folder / name;
  const Address address(folder, name);
  UniqueFd fd = make_socket();
  // Before the bind, which makes the file with these rights: at no time may others connect (Linux, unix(7)).
  if (fchmod(fd.get(), kOwnerOnly) != 0) throw_errno("cannot restrict " + path.string());
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      throw std::system_error(EEXIST, std::generic_category(), path.string() + " is no socket; move it away");
    }
    if (unlink(path.c_str()) != 0) throw_errno("cannot remove " + path.string());
  }
  if (bind(fd.get(), address.get(), Address::kSize) != 0) throw_errno("cannot make " + path.string());
  if (listen(fd.get(), kBacklog) != 0) throw_errno("cannot listen on " + path.string());
  return fd;
}

UniqueFd connect_locally(const std::filesystem::path& folder, const std::string& name) {
  const Address address(folder, name);
  UniqueFd fd = make_socket();
  int result = -1;
  do result = connect(fd.get(), address.get(), Address::kSize);
  while (result != 0 && errno == EINTR);
  if (result != 0) throw_errno("cannot connect to " + (folder / name).string());
  return fd;
}

}  // namespace hbagent
