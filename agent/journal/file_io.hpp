// What the journal asks of the operating system, each step that matters for durability a function of its own, so that
// tests can stop, fail or reorder between any two of them.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace hbagent {

// A file descriptor that closes itself.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }  // the caller's to close
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Thread-safe. Every function that fails throws std::system_error, which names the operation and the file.
class FileIo {
 public:
  virtual ~FileIo() = default;

  // Opens for reading and writing, without following a symbolic link; creates the file (mode 0600) where asked to.
  virtual UniqueFd open(const std::filesystem::path& file, bool create) = 0;
  // Gives the file its size, with blocks of its own where the file system can: no later write inside runs out of space.
  virtual void allocate(int fd, std::uint64_t size, const std::filesystem::path& file) = 0;
  // Writes all parts, one behind the other, from `offset` on. On failure some of the bytes may be there.
  virtual void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const std::filesystem::path& file) = 0;
  // Returns how many bytes there were, up to `size`.
  virtual std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset,
                           const std::filesystem::path& file) = 0;
  // What is written survives power loss when this returns. After a failure the kernel may have dropped it: the same
  // file must not be trusted again by calling this a second time.
  virtual void sync(int fd, const std::filesystem::path& file) = 0;
  virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual void remove(const std::filesystem::path& file) = 0;
  // Names that were created, renamed or removed in the folder survive power loss when this returns.
  virtual void sync_folder(const std::filesystem::path& folder) = 0;
};

// The operating system itself.
std::unique_ptr<FileIo> make_posix_file_io();
// The same for one who only looks: opens for reading, also where nothing can be written, and changes nothing.
std::unique_ptr<FileIo> make_read_only_file_io();

// What the journal of a running agent uses. Defined in a file of its own, which a test program may replace.
std::unique_ptr<FileIo> make_file_io();

}  // namespace hbagent
