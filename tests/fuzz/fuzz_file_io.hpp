// File operations that wait for no disk: thousands of journals a second.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "journal/file_io.hpp"

namespace hbagent {

// Nothing here survives power loss, and a file gets its size without its blocks. All else is the operating system's.
class FuzzFileIo final : public FileIo {
 public:
  UniqueFd open(const std::filesystem::path& file, bool create) override { return real_->open(file, create); }
  void allocate(int fd, std::uint64_t size, const std::filesystem::path& file) override {
    struct stat now {};
    if (fstat(fd, &now) == 0 && static_cast<std::uint64_t>(now.st_size) >= size) return;
    if (ftruncate(fd, static_cast<off_t>(size)) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot allocate " + file.string());
    }
  }
  void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const std::filesystem::path& file) override {
    real_->write(fd, parts, offset, file);
  }
  std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset,
                   const std::filesystem::path& file) override {
    return real_->read(fd, to, size, offset, file);
  }
  void sync(int, const std::filesystem::path&) override {}
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override { real_->rename(from, to); }
  void remove(const std::filesystem::path& file) override { real_->remove(file); }
  void sync_folder(const std::filesystem::path&) override {}

 private:
  std::unique_ptr<FileIo> real_ = make_posix_file_io();
};

}  // namespace hbagent
