#include "hbcommon/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace hb::codec {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

void write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write " + path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void replace_file(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  {
    const Descriptor file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.number() < 0) fail("cannot write " + fresh);
    write_all(file.number(), text, fresh);
    if (::fsync(file.number()) != 0) fail("cannot sync " + fresh);
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) fail("cannot rename " + fresh);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor entry(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  if (entry.number() < 0 || ::fsync(entry.number()) != 0) fail("cannot sync " + folder);
}

}  // namespace hb::codec
