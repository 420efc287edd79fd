#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "journal/file_io.hpp"

namespace hbagent {
namespace {

[[noreturn]] void throw_errno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

class PosixFileIo : public FileIo {
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
    while (!parts.empty()) {
      const auto some = parts.first(std::min(parts.size(), kMaxParts));
      std::uint64_t size = 0;
      for (const iovec& part : some) size += part.iov_len;
      const std::uint64_t done = write_once(fd, some, offset, file);
      if (done < size) write_rest(fd, some, done, offset, file);
      offset += size;
      parts = parts.subspan(some.size());
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

  // Returns how many bytes were written.
  static std::uint64_t write_once(int fd, std::span<const iovec> parts, std::uint64_t offset,
                                  const std::filesystem::path& file) {
    for (;;) {
      const auto at = static_cast<off_t>(offset);
      const ssize_t got = parts.size() == 1 ? pwrite(fd, parts[0].iov_base, parts[0].iov_len, at)
                                            : pwritev(fd, parts.data(), static_cast<int>(parts.size()), at);
      if (got >= 0) return static_cast<std::uint64_t>(got);
      if (errno != EINTR) throw_errno(errno, "cannot write " + file.string());
    }
  }

  // What lies behind the first `done` bytes of the parts.
  static void write_rest(int fd, std::span<const iovec> parts, std::uint64_t done, std::uint64_t offset,
                         const std::filesystem::path& file) {
    for (const iovec& part : parts) {
      for (std::uint64_t skip = std::min<std::uint64_t>(done, part.iov_len); skip < part.iov_len;) {
        const iovec left{static_cast<char*>(part.iov_base) + skip, part.iov_len - skip};
        skip += write_once(fd, {&left, 1}, offset + skip, file);
      }
      done -= std::min<std::uint64_t>(done, part.iov_len);
      offset += part.iov_len;
    }
  }
};

class ReadOnlyFileIo final : public PosixFileIo {
 public:
  UniqueFd open(const std::filesystem::path& file, bool create) override {
    if (create) refuse(file);
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) throw_errno(errno, "cannot open " + file.string());
    return UniqueFd(fd);
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path&) override { refuse(from); }
  void remove(const std::filesystem::path& file) override { refuse(file); }

 private:
  [[noreturn]] static void refuse(const std::filesystem::path& file) {
    throw_errno(EROFS, "opened for reading only: " + file.string());
  }
};

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

std::unique_ptr<FileIo> make_posix_file_io() {
  return std::make_unique<PosixFileIo>();
}

std::unique_ptr<FileIo> make_read_only_file_io() {
  return std::make_unique<ReadOnlyFileIo>();
}

}  // namespace hbagent
