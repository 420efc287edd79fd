#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

#include "journal/file_io.hpp"

namespace hbagent {
namespace {

[[noreturn]] void throw_errno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

class PosixFileIo final : public FileIo {
 public:
  UniqueFd open(const std::filesystem::path& file, bool create) override {
    const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
    if (fd < 0) throw_errno(errno, "cannot open " + file.string());
    return UniqueFd(fd);
  }

  void allocate(int fd, std::uint64_t size, const std::filesystem::path& file) override {
    int error = 0;
    do error = posix_fallocate(fd, 0, static_cast<off_t>(size));
    while (error == EINTR);
    if (error != 0) throw_errno(error, "cannot allocate " + std::to_string(size) + " bytes for " + file.string());
  }

  void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const std::filesystem::path& file) override {
    std::array<iovec, kMaxParts> left{};
    while (!parts.empty()) {
      const std::size_t count = std::min(parts.size(), left.size());
      std::copy_n(parts.begin(), count, left.begin());
      write_some(fd, std::span(left).first(count), offset, file);
      for (const iovec& part : parts.first(count)) offset += part.iov_len;
      parts = parts.subspan(count);
    }
  }

  std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset,
                   const std::filesystem::path& file) override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = pread(fd, static_cast<char*>(to) + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno(errno, "cannot read " + file.string());
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  void sync(int fd, const std::filesystem::path& file) override {
    if (fdatasync(fd) != 0) throw_errno(errno, "cannot sync " + file.string());
  }

  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_errno(errno, "cannot rename " + from.string());
  }

  void remove(const std::filesystem::path& file) override {
    if (unlink(file.c_str()) != 0) throw_errno(errno, "cannot remove " + file.string());
  }

  void sync_folder(const std::filesystem::path& folder) override {
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno(errno, "cannot open " + folder.string());
    if (fsync(fd.get()) != 0) throw_errno(errno, "cannot sync " + folder.string());
  }

 private:
  static constexpr std::size_t kMaxParts = 64;
  static_assert(kMaxParts <= IOV_MAX);

  static void write_some(int fd, std::span<iovec> left, std::uint64_t offset, const std::filesystem::path& file) {
    while (!left.empty()) {
      const ssize_t got = pwritev(fd, left.data(), static_cast<int>(left.size()), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno(errno, "cannot write " + file.string());
      offset += static_cast<std::uint64_t>(got);
      auto done = static_cast<std::size_t>(got);
      while (!left.empty() && done >= left.front().iov_len) {
        done -= left.front().iov_len;
        left = left.subspan(1);
      }
      if (!left.empty()) {
        left.front().iov_base = static_cast<char*>(left.front().iov_base) + done;
        left.front().iov_len -= done;
      }
    }
  }
};

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

std::unique_ptr<FileIo> make_posix_file_io() {
  return std::make_unique<PosixFileIo>();
}

}  // namespace hbagent
