// The journal's own thread: makes durable what was appended, and lets go of what everybody is done with.
#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "journal/disk_journal.hpp"
#include "thread_name.hpp"

namespace hbagent {
namespace {

constexpr std::chrono::seconds kRetrySync{1};

}  // namespace

void DiskJournal::wake_sync() {
  if (std::exchange(sync_idle_, false)) sync_wake_.notify_one();
}

void DiskJournal::sync_thread() {
  name_this_thread("journal");
  std::unique_lock lock(mutex_);
  auto next = Clock::now();
  while (!ending_) {
    sync_idle_ = true;
    sync_wake_.wait(lock, [&] { return ending_ || release_wanted_ || token_waits_ || synced_ < appended_; });
    sync_idle_ = false;
    // A group: everything that comes until then shares one sync.
    sync_wake_.wait_until(lock, next, [&] { return ending_; });
    next = Clock::now() + settings_.sync_interval;
    sync_round(lock);
  }
  if (synced_ < appended_ || token_waits_) sync_round(lock);
}

void DiskJournal::sync_round(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t position = appended_;
  const std::uint64_t done = done_by_all();
  const bool release = std::exchange(release_wanted_, false);
  token_waits_ = false;
  const std::vector<std::uint64_t> tokens = last_tokens();

  if (release) release_done(lock, done);
  if (synced_ < position) {
    lock.unlock();
    std::string error;
    try {
      log_.sync();
    } catch (const std::system_error& failure) {
      error = failure.what();
    }
    lock.lock();
    if (!error.empty()) {
      recover_from_failed_sync(lock, error);
      return;
    }
    synced_ = position;
  }
  ack(tokens);
}

std::vector<std::uint64_t> DiskJournal::last_tokens() const {
  std::vector<std::uint64_t> tokens;
  for (const auto& source : sources_) tokens.push_back(source->last_token);
  return tokens;
}

void DiskJournal::ack(const std::vector<std::uint64_t>& tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) set_acked(source(i), tokens[i]);
  synced_changed_.notify_all();
}

void DiskJournal::release_done(std::unique_lock<std::mutex>& lock, std::uint64_t done) {
  lock.unlock();
  // What is recycled must not be needed by a cursor that power loss brings back.
  store_cursors(true);
  std::string error;
  bool released = false;
  {
    const std::lock_guard relock(mutex_);
    if (!cursor_failure_.empty()) error = cursor_failure_;
  }
  try {
    if (error.empty()) released = log_.release(done, false);
  } catch (const std::system_error& failure) {
    error = failure.what();
  }
  lock.lock();
  if (!error.empty()) {
    note_failure(cursor_failure_, error);
    release_wanted_ = true;  // with the next round
  }
  if (released) has_room_.notify_all();
}

// The kernel may have dropped what it could not write, and says so only once. So what was not durable is written again,
// into new files, out of what can still be read; until that has succeeded nothing is accepted or acknowledged.
void DiskJournal::recover_from_failed_sync(std::unique_lock<std::mutex>& lock, const std::string& error) {
  note_failure(sync_failure_, error);
  while (!ending_) {
    sync_wake_.wait_for(lock, kRetrySync, [&] { return ending_; });
    lock.unlock();
    std::string again;
    std::uint64_t lost = 0, from = 0, to = 0;
    std::vector<std::uint64_t> tokens;
    {
      const std::lock_guard one_writer(write_mutex_);
      {
        const std::lock_guard relock(mutex_);
        from = synced_;
        to = appended_;
        tokens = last_tokens();
      }
      try {
        lost = log_.rewrite(from, to);
      } catch (const std::system_error& failure) {
        again = failure.what();
      }
    }
    lock.lock();
    if (!again.empty()) {
      note_failure(sync_failure_, again);
      continue;
    }
    if (lost > 0) {
      logger_.error("journal", fmt::format("{} readings were lost by the disk before they were durable; their sources "
                                           "were never told that they are safe",
                                           lost));
    }
    synced_ = to;
    clear_failure(sync_failure_);
    ack(tokens);
    has_room_.notify_all();
    return;
  }
}

}  // namespace hbagent
