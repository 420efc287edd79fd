// The file operations of the journal and the dead letters in hbagent_crash: they kill the process at a named point, or
// fail on demand.
//
//   HBAGENT_CRASH_POINT   WHAT.OPERATION.WHEN, such as "segment.write.half": kills there with SIGKILL. WHEN is before,
//                         after or, for a write, half: half of the bytes are written.
//   HBAGENT_CRASH_SKIP    how often that point is passed unharmed first; default 0
//   HBAGENT_FAULT_FILE    while this file exists, what it says fails: an error and operations, such as
//                         "ENOSPC create allocate write" or "EIO segment.sync"
//   HBAGENT_FAULT_SKIP    how many of those operations succeed first; default 0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "journal/file_io.hpp"
#include "journal/segment_format.hpp"

namespace hbagent {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 24> kPoints = {
    "segment.create", "segment.allocate", "header.write",   "segment.write", "segment.sync",   "segment.rename",
    "segment.remove", "spare.rename",     "spare.remove",   "cursor.write",  "cursor.sync",    "rewrite.create",
    "rewrite.write",  "rewrite.sync",     "rewrite.rename", "folder.sync",   "letters.create", "letters.write",
    "letters.rename", "anew.create",      "anew.write",     "anew.sync",     "anew.rename",    "data_dir.sync"};

std::string text_of_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int number_of_environment(const char* name) {
  const std::string text = text_of_environment(name);
  return text.empty() ? 0 : std::stoi(text);
}

// What a file is, by its name: one of the journal's folder, the dead letters, or what is to take a place of theirs.
std::string_view kind_of(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name.starts_with("dead-letters.")) return name.ends_with(".tmp") ? "anew" : "letters";
  if (name.starts_with(kSpareFile)) return "spare";
  if (name.starts_with(kRewriteFile)) return "rewrite";
  return file.extension() == ".cursor" ? "cursor" : "segment";
}

class CrashPoint {
 public:
  CrashPoint() : name_(text_of_environment("HBAGENT_CRASH_POINT")) {
    if (name_.empty()) return;
    const std::size_t dot = name_.rfind('.');
    const std::string when = dot == std::string::npos ? "" : name_.substr(dot + 1);
    const std::string place = name_.substr(0, dot);
    const bool known = std::find(kPoints.begin(), kPoints.end(), place) != kPoints.end();
    if (!known || !(when == "before" || when == "after" || (when == "half" && place.ends_with(".write")))) {
      throw std::runtime_error(fmt::format("HBAGENT_CRASH_POINT={}: there is no such point", name_));
    }
  }

  // Whether this is the time to die at that point.
  bool reached(std::string_view kind, std::string_view operation, std::string_view when) {
    return name_ == fmt::format("{}.{}.{}", kind, operation, when) && left_-- == 0;
  }
  [[noreturn]] static void die() {
    kill(getpid(), SIGKILL);
    std::abort();  // not reached
  }

 private:
  const std::string name_;
  std::atomic<int> left_{number_of_environment("HBAGENT_CRASH_SKIP")};
};

class FaultFile {
 public:
  // Throws std::system_error when the file says that this operation fails.
  void check(std::string_view kind, std::string_view operation, const fs::path& file) {
    if (path_.empty()) return;
    std::ifstream in(path_);
    std::string error, word;
    if (!(in >> error)) return;
    while (in >> word) {
      if (word != operation && word != fmt::format("{}.{}", kind, operation)) continue;
      if (left_ > 0 && left_-- > 0) return;
      throw std::system_error(number_of(error), std::generic_category(),
                              fmt::format("cannot {} {}", operation, file.string()));
    }
  }

 private:
  static int number_of(const std::string& error) {
    if (error == "ENOSPC") return ENOSPC;
    if (error == "EROFS") return EROFS;
    if (error == "EIO") return EIO;
    throw std::runtime_error("HBAGENT_FAULT_FILE: ENOSPC, EROFS or EIO, not " + error);
  }

  const fs::path path_ = text_of_environment("HBAGENT_FAULT_FILE");
  std::atomic<int> left_{number_of_environment("HBAGENT_FAULT_SKIP")};
};

std::vector<iovec> first_half(std::span<const iovec> parts) {
  std::size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  std::vector<iovec> half;
  for (std::size_t left = bytes / 2; left > 0 && !parts.empty(); parts = parts.subspan(1)) {
    half.push_back({parts.front().iov_base, std::min(left, parts.front().iov_len)});
    left -= half.back().iov_len;
  }
  return half;
}

class CrashFileIo final : public FileIo {
 public:
  UniqueFd open(const fs::path& file, bool create) override {
    if (!create) return real_->open(file, create);
    before(kind_of(file), "create", file);
    UniqueFd fd = real_->open(file, create);
    after(kind_of(file), "create");
    return fd;
  }
  void allocate(int fd, std::uint64_t size, const fs::path& file) override {
    before(kind_of(file), "allocate", file);
    real_->allocate(fd, size, file);
    after(kind_of(file), "allocate");
  }
  void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const fs::path& file) override {
    std::string_view kind = kind_of(file);
    if (kind == "segment" && offset < kHeaderBlock) kind = "header";
    before(kind, "write", file);
    if (point_.reached(kind, "write", "half")) {
      real_->write(fd, first_half(parts), offset, file);
      CrashPoint::die();
    }
    real_->write(fd, parts, offset, file);
    after(kind, "write");
  }
  std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset, const fs::path& file) override {
    return real_->read(fd, to, size, offset, file);
  }
  void sync(int fd, const fs::path& file) override {
    before(kind_of(file), "sync", file);
    real_->sync(fd, file);
    after(kind_of(file), "sync");
  }
  void rename(const fs::path& from, const fs::path& to) override {
    before(kind_of(from), "rename", from);
    real_->rename(from, to);
    after(kind_of(from), "rename");
  }
  void remove(const fs::path& file) override {
    before(kind_of(file), "remove", file);
    real_->remove(file);
    after(kind_of(file), "remove");
  }
  void sync_folder(const fs::path& folder) override {
    const std::string_view kind = folder.filename() == "journal" ? "folder" : "data_dir";
    before(kind, "sync", folder);
    real_->sync_folder(folder);
    after(kind, "sync");
  }

 private:
  void before(std::string_view kind, std::string_view operation, const fs::path& file) {
    if (point_.reached(kind, operation, "before")) CrashPoint::die();
    faults_.check(kind, operation, file);
  }
  void after(std::string_view kind, std::string_view operation) {
    if (point_.reached(kind, operation, "after")) CrashPoint::die();
  }

  std::unique_ptr<FileIo> real_ = make_posix_file_io();
  CrashPoint point_;
  FaultFile faults_;
};

}  // namespace

std::unique_ptr<FileIo> make_file_io() {
  return std::make_unique<CrashFileIo>();
}

}  // namespace hbagent
