#include "last_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "retry_log.hpp"
#include "text.hpp"
#include "wall_clock.hpp"

namespace hbagent {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::uint64_t kMaxFileSize = 64 << 20;
constexpr std::size_t kReadSize = 1 << 16;

// What moves also while no reading does: a change of these alone is not worth a write.
void remove_restless(ordered_json& json) {
  static constexpr std::array kRestless = {"ready",         "not_ready",     "resident_bytes",  "gauges",
                                           "retries",       "last_error",    "last_error_time", "writes",
                                           "write_seconds", "delay_seconds", "used_bytes",      "unsynced_readings"};
  for (const char* key : kRestless) {
    if (json.is_object()) json.erase(key);
  }
  for (auto& each : json) {
    if (each.is_structured()) remove_restless(each);
  }
}

}  // namespace

LastRun::LastRun(const fs::path& data_dir, Status status, Logger& logger, std::unique_ptr<FileIo> io,
                 std::chrono::milliseconds interval)
    : file_(fs::absolute(data_dir / kLastRunFile)),
      anew_(file_.string() + ".tmp"),
      status_(std::move(status)),
      logger_(logger),
      io_(std::move(io)),
      interval_(interval),
      thread_([this] { thread_main(); }) {}

LastRun::~LastRun() {
  stop();
}

void LastRun::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LastRun::store_soon() {
  {
    const std::lock_guard lock(mutex_);
    store_wanted_ = true;
  }
  wake_.notify_all();
}

void LastRun::thread_main() {
  RetryLog retry_log(logger_, "agent");
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const bool wanted = std::exchange(store_wanted_, false);
    lock.unlock();
    std::string error;
    const bool stored = store({}, !wanted, error);
    if (stored) {
      retry_log.succeeded("the figures for an audit are kept again");
    } else {
      retry_log.failed(fmt::format("the figures for an audit cannot be kept: {}", error), interval_);
    }
    lock.lock();
    if (!stored) store_wanted_ = true;
    wake_.wait_for(lock, interval_, [&] { return ending_ || (stored && store_wanted_); });
  }
}

void LastRun::end(const std::string& how) {
  stop();
  std::string error;
  if (!store(how, false, error)) logger_.warn("agent", "the last figures for an audit were not kept: " + error);
}

bool LastRun::store(const std::string& ended, bool only_changes, std::string& error) try {
  ordered_json json = ordered_json::parse(status_());
  ordered_json accounts = json;
  remove_restless(accounts);
  std::string now = accounts.dump();
  if (only_changes && now == stored_accounts_) return true;
  json["written_at"] = iso_time(wall_clock_us());
  if (!ended.empty()) json["ended"] = ended;
  write(json.dump(2) + "\n");
  stored_accounts_ = std::move(now);
  return true;
} catch (const std::exception& failure) {
  error = failure.what();
  return false;
}

// Beside the file and renamed: it is always the old one or the new one, whole.
void LastRun::write(const std::string& text) {
  std::error_code none;
  if (fs::exists(fs::symlink_status(anew_, none))) io_->remove(anew_);  // a longer one that a crash left
  {
    const UniqueFd fd = io_->open(anew_, true);
    const iovec part{const_cast<char*>(text.data()), text.size()};
    io_->write(fd.get(), {&part, 1}, 0, anew_);
    io_->sync(fd.get(), anew_);
  }
  io_->rename(anew_, file_);
}

std::optional<std::string> read_last_run(const fs::path& data_dir) {
  const fs::path file = data_dir / kLastRunFile;
  const auto io = make_posix_file_io();
  std::string text;
  try {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) throw std::system_error(errno, std::generic_category(), "cannot open " + file.string());
    for (std::size_t read = kReadSize; read == kReadSize && text.size() <= kMaxFileSize;) {
      const std::size_t before = text.size();
      text.resize(before + kReadSize);
      read = io->read(fd.get(), text.data() + before, kReadSize, before, file);
      text.resize(before + read);
    }
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::no_such_file_or_directory || error.code() == std::errc::not_a_directory) {
      return std::nullopt;
    }
    const bool forbidden = error.code() == std::errc::permission_denied;
    throw std::runtime_error(fmt::format("{}{}", error.what(), forbidden ? ": run this as the agent's user" : ""));
  }
  if (text.size() > kMaxFileSize) throw std::runtime_error(fmt::format("{} is too long", file.string()));
  return text;
}

}  // namespace hbagent
