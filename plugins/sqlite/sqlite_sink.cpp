#include "sqlite_sink.hpp"

#include "errors.hpp"

#include <hbcommon/customer_id.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>

namespace sqlite {
namespace {

// How often the keeper looks for work besides heartrate_data.
constexpr std::chrono::milliseconds kUpkeepInterval{1000};
// Between two pieces of its work, so that a write that waits gets its turn.
constexpr std::chrono::milliseconds kPieceBreak{2};

Verdict rejected(std::size_t index, const char* reason, std::string detail) {
  return {static_cast<std::uint32_t>(index), HB_VERDICT_REJECT, reason, std::move(detail)};
}

}  // namespace

SqliteSink::SqliteSink(const Config& config, hb::Host host)
    : config_(config), host_(host), path_(std::filesystem::absolute(config_.path).lexically_normal().string()) {
  if (path_.ends_with('/')) throw hb::Failed("path: names a folder, not a file");
}

void SqliteSink::open() {
  close();
  try {
    store_.emplace(config_, path_, host_);
  } catch (const SqliteError& error) {
    raise(error, path_);
  }
  keeper_ = std::jthread([this](const std::stop_token& stop) { keep_up(stop); });
}

void SqliteSink::close() {
  keeper_ = {};  // asks it to stop, and waits
  if (!store_) return;
  try {
    store_->flush_latest();
  } catch (const SqliteError& error) {
    host_.warn(path_ + ": heartrate_data is brought up to date at the next start: " + error.what());
  }
  try {
    static_cast<void>(store_->moved());
  } catch (const SqliteError& error) {
    set_aside_wal(error);
  }
  store_.reset();
}

void SqliteSink::write(hb::Batch batch) {
  if (!store_) throw hb::Reopen(path_ + ": not open");
  verdicts_.clear();
  check(batch);
  {
    const std::lock_guard lock(mutex_);
    try {
      if (store_->wal_too_large()) {
        throw hb::Retry(path_ + "-wal has reached max_wal, because a reader has kept its transaction open: end it");
      }
      store_->write(batch.readings(), accepted_, verdicts_);
      // Asked behind the commit: what went into a file that has no name any more is not delivered.
      if (is_moved()) throw hb::Reopen(path_ + ": the file was deleted, moved or replaced; it is opened again");
      store_->checkpoint();
    } catch (const SqliteError& error) {
      raise(error, path_);
    }
    show_gauges();
  }
  for (const Verdict& verdict : verdicts_) {
    if (verdict.verdict == HB_VERDICT_REJECT) {
      batch.reject(verdict.index, verdict.reason, verdict.detail.c_str());
    } else {
      batch.duplicate(verdict.index);
    }
  }
}

bool SqliteSink::is_moved() {
  try {
    return store_->moved();
  } catch (const SqliteError& error) {
    throw hb::Retry(path_ + ": the file was deleted, moved or replaced, and " + path_ +
                    "-wal, which belongs to the old one, cannot be written back to it: end who reads it (" +
                    error.what() + ")");
  }
}

// It holds what was delivered to a file of another name: neither to be lost nor to be taken for the new file's.
void SqliteSink::set_aside_wal(const SqliteError& error) {
  const std::string wal = path_ + "-wal", aside = path_ + "-wal-of-the-moved-file";
  std::error_code failure;
  std::filesystem::rename(wal, aside, failure);
  host_.error(path_ + ": the file was moved or replaced, and the last readings could not be written back to it (" +
              error.what() + "): " +
              (failure ? wal + " cannot be renamed: " + failure.message()
                       : "they are in " + aside + "; put it beside the moved file, as its -wal, and open that one"));
}

void SqliteSink::check(hb::Batch batch) {
  const auto now = host_.now_us();
  const auto newest = now + std::chrono::microseconds(config_.max_future).count();
  const auto expiry = config_.retention ? now - std::chrono::microseconds(*config_.retention).count()
                                        : std::numeric_limits<std::int64_t>::min();
  accepted_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const hb::Reading& reading = batch[i];
    const std::string_view id(reading.customer_id, strnlen(reading.customer_id, sizeof reading.customer_id));
    if (id.size() > hb::kMaxCustomerId || !hb::codec::check_customer_id(id).ok()) {
      verdicts_.push_back(rejected(i, "bad_customer_id", "not 1 to 41 bytes of UTF-8 without control characters"));
    } else if (reading.heart_rate < kMinHeartRate || reading.heart_rate > kMaxHeartRate) {
      verdicts_.push_back(rejected(i, "out_of_range", "heart_rate is not from 1 to 300"));
    } else if (reading.time_us < kTimeFloorUs) {
      verdicts_.push_back(rejected(i, "time_implausible", "time is before 1980"));
    } else if (reading.time_us > newest) {
      verdicts_.push_back(rejected(i, "time_future", "time is further ahead of the clock than max_future"));
    } else if (reading.time_us < expiry) {
      verdicts_.push_back(rejected(i, "expired", "time is before the retention"));
    } else {
      accepted_.push_back(static_cast<std::uint32_t>(i));
    }
  }
}

// What fails here costs no reading: it is said once, and tried again.
void SqliteSink::keep_up(const std::stop_token& stop) {
  const auto interval = std::min(kUpkeepInterval, config_.latest_interval);
  std::string said;
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    std::string failure;
    const bool more = keep_up_once(failure);
    if (failure != said) {
      if (failure.empty()) {
        host_.info(path_ + ": upkeep works again");
      } else {
        host_.warn(path_ + ": upkeep (heartrate_data, retention) failed, and is tried again: " + failure);
      }
      said = failure;
    }
    wake_.wait_for(lock, stop, more ? kPieceBreak : interval, [] { return false; });
  }
}

bool SqliteSink::keep_up_once(std::string& failure) {
  try {
    if (store_->flush_due()) store_->flush_latest();
    bool more = store_->catch_up_piece();
    if (config_.retention && !store_->wal_too_large()) {
      more |= store_->delete_piece(host_.now_us() - std::chrono::microseconds(*config_.retention).count());
      more |= store_->shrink_piece();
    }
    store_->checkpoint();
    return more;
  } catch (const std::exception& error) {
    failure = error.what();
    return false;
  }
}

void SqliteSink::show_gauges() {
  host_.gauge("wal_bytes", static_cast<double>(store_->wal_bytes()));
  if (store_->checkpoint_failure() == checkpoint_failure_) return;
  checkpoint_failure_ = store_->checkpoint_failure();
  if (checkpoint_failure_.empty()) {
    host_.info(path_ + ": the write-ahead log is written back again");
  } else {
    host_.warn(path_ + ": the write-ahead log cannot be written back, and grows: " + checkpoint_failure_);
  }
}

}  // namespace sqlite
