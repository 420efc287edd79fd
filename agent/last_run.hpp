// Keeps what a run says of itself in data_dir, so that it can be audited when it has ended, however it ended.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "journal/file_io.hpp"
#include "log.hpp"

namespace hbagent {

inline constexpr const char* kLastRunFile = "last-run.json";

// Writes on a thread of its own: at its beginning, when told to, and every kInterval while the accounts change; where
// nothing changes nothing is written. A write that fails is told in the log, and tried again.
class LastRun {
 public:
  static constexpr std::chrono::seconds kInterval{5};
  // The document of /api/v1/status. Called on that thread, and by `end` on its caller's.
  using Status = std::function<std::string()>;

  LastRun(const std::filesystem::path& data_dir, Status status, Logger& logger,
          std::unique_ptr<FileIo> io = make_posix_file_io(), std::chrono::milliseconds interval = kInterval);
  // Without `end` the file keeps saying that the run has not come to its end.
  ~LastRun();
  LastRun(const LastRun&) = delete;
  LastRun& operator=(const LastRun&) = delete;

  void store_soon();  // whatever has changed
  // The last figures, and how the run ended: "stopped", "finished" or "aborted". Nothing is written afterwards.
  void end(const std::string& how);

 private:
  void thread_main();
  void stop();
  // Whether there is nothing left to write.
  bool store(const std::string& ended, bool only_changes, std::string& error);
  void write(const std::string& text);

  const std::filesystem::path file_, anew_;
  const Status status_;
  Logger& logger_;
  const std::unique_ptr<FileIo> io_;
  const std::chrono::milliseconds interval_;

  std::string stored_accounts_;  // of the thread; then of end's caller

  std::mutex mutex_;
  std::condition_variable wake_;
  bool store_wanted_ = true;
  bool ending_ = false;
  std::thread thread_;
};

// The text of the file; nullopt: there is none. Throws std::runtime_error, which says what to do, where it cannot be
// read.
std::optional<std::string> read_last_run(const std::filesystem::path& data_dir);

}  // namespace hbagent
