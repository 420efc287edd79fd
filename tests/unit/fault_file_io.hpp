// File operations that fail on demand.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <system_error>

#include "journal/file_io.hpp"

namespace hbagent {

// Thread-safe.
class FileFaults {
 public:
  // From now on this operation fails with `error` where the file's name has `part` in it.
  void fail(const std::string& operation, int error, const std::string& part = "") {
    const std::lock_guard lock(mutex_);
    operation_ = operation;
    error_ = error;
    part_ = part;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    operation_.clear();
  }
  std::filesystem::path last_failed() const {
    const std::lock_guard lock(mutex_);
    return last_failed_;
  }
  // How often a file was synced since the last failure.
  int synced_after_failure(const std::filesystem::path& file) const {
    const std::lock_guard lock(mutex_);
    const auto found = syncs_.find(file);
    return found == syncs_.end() ? 0 : found->second;
  }
  // Renames and removals that the operating system refused.
  void count_own_failure() { ++own_failures_; }
  int own_failures() const { return own_failures_; }
  void count_read(std::size_t bytes) { read_bytes_ += bytes; }
  std::uint64_t read_bytes() const { return read_bytes_; }
  void check(const std::string& operation, const std::filesystem::path& file) {
    const std::lock_guard lock(mutex_);
    if (operation == operation_ && file.string().find(part_) != std::string::npos) {
      last_failed_ = file;
      syncs_.clear();
      throw std::system_error(error_, std::generic_category(), "cannot " + operation + " " + file.string());
    }
    if (operation == "sync") ++syncs_[file];
  }

 private:
  std::atomic<std::uint64_t> read_bytes_{0};
  std::atomic<int> own_failures_{0};
  mutable std::mutex mutex_;
  std::string operation_, part_;
  int error_ = 0;
  std::filesystem::path last_failed_;
  std::map<std::filesystem::path, int> syncs_;
};

class FaultyFileIo : public FileIo {
 public:
  explicit FaultyFileIo(std::shared_ptr<FileFaults> faults) : faults_(std::move(faults)) {}

  UniqueFd open(const std::filesystem::path& file, bool create) override {
    faults_->check("open", file);
    return real_->open(file, create);
  }
  void allocate(int fd, std::uint64_t size, const std::filesystem::path& file) override {
    faults_->check("allocate", file);
    real_->allocate(fd, size, file);
  }
  void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const std::filesystem::path& file) override {
    faults_->check("write", file);
    real_->write(fd, parts, offset, file);
  }
  std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset,
                   const std::filesystem::path& file) override {
    faults_->check("read", file);
    const std::size_t got = real_->read(fd, to, size, offset, file);
    faults_->count_read(got);
    return got;
  }
  void sync(int fd, const std::filesystem::path& file) override {
    faults_->check("sync", file);
    real_->sync(fd, file);
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    faults_->check("rename", from);
    counting([&] { real_->rename(from, to); });
  }
  void remove(const std::filesystem::path& file) override {
    faults_->check("remove", file);
    counting([&] { real_->remove(file); });
  }
  void sync_folder(const std::filesystem::path& folder) override {
    faults_->check("sync_folder", folder);
    real_->sync_folder(folder);
  }

 private:
  template <class Operation>
  void counting(const Operation& operation) {
    try {
      operation();
    } catch (const std::system_error&) {
      faults_->count_own_failure();
      throw;
    }
  }

  std::shared_ptr<FileFaults> faults_;
  std::unique_ptr<FileIo> real_ = make_posix_file_io();
};

inline std::unique_ptr<FileIo> faulty_file_io(std::shared_ptr<FileFaults> faults) {
  return std::make_unique<FaultyFileIo>(std::move(faults));
}

}  // namespace hbagent
