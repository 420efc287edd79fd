#include "postgres_sink.hpp"

#include "encode.hpp"
#include "migrations.hpp"
#include "sqlstate.hpp"
#include "stored.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

namespace postgres {
namespace {

// Customers whose watermark is kept, over all connections; 50 to 60 bytes each.
constexpr std::size_t kWatermarkCapacity = 200'000;
// Customers that wait for heartrate_data, over all connections, before it is brought up to date at once.
constexpr std::size_t kPendingCustomers = 50'000;
constexpr std::chrono::seconds kUpkeepInterval{60};
constexpr std::chrono::minutes kCatchUpLimit{10};
// When the sink opens readings wait already.
constexpr std::chrono::milliseconds kCatchUpAtOnce{2000};

bool valid_customer_id(const hb::Reading& reading) {
  const auto length = strnlen(reading.customer_id, sizeof reading.customer_id);
  return length >= 1 && length <= hb::kMaxCustomerId && valid_text({reading.customer_id, length});
}

Verdict rejected(std::size_t index, const char* reason, std::string detail) {
  return {static_cast<std::uint32_t>(index), HB_VERDICT_REJECT, reason, std::move(detail)};
}

// The gravest of several workers' errors goes on; every one of them leaves the batch to be written again.
int gravity(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ServerError& answer) {
    switch (answer.remedy()) {
      case Remedy::Configuration:
      case Remedy::Bug:
        return 4;
      case Remedy::Reconnect:
        return 3;
      default:
        return 1;
    }
  } catch (const PartitionMissing&) {
    return 2;
  } catch (...) {
    return 5;
  }
}

}  // namespace

PostgresSink::PostgresSink(const Config& config, hb::Host host)
    : config_(config),
      host_(host),
      settings_(make_settings(config_)),
      silence_(host, name(), settings_.timeout),
      upkeep_(config_, settings_, host) {
  const auto count = static_cast<std::size_t>(config_.connections);
  for (std::size_t i = 0; i < count; ++i) {
    writers_.push_back(std::make_unique<Writer>(settings_, host_, kWatermarkCapacity / count, &silence_));
  }
  assignment_.resize(count);
}

void PostgresSink::open() {
  close();
  try {
    // This one first: it alone learns the SQLSTATE of a refused login.
    const Connection probe(settings_, host_);
    if (config_.manage_schema) {
      const int applied = migrate(settings_, host_, migrations());
      if (applied > 0) host_.info("schema migrated to version " + std::to_string(migrations().back().version));
    }
    verify(settings_, host_);
    upkeep_.refresh();
    upkeep_.cover_ahead();
    catch_up_soon();
    for (auto& writer : writers_) writer->connect();
  } catch (const ServerError& error) {
    for (auto& writer : writers_) writer->disconnect();
    raise(error, name());
  }
  for (auto& writer : writers_) {
    workers_.push_back(
        std::make_unique<Worker>(*writer, host_, config_.latest_interval, kPendingCustomers / writers_.size()));
  }
  keeper_ = std::jthread([this](const std::stop_token& stop) { keep_up(stop); });
  host_.info("connected to " + name() + ", schema " + config_.schema + ", " +
             std::to_string(upkeep_.coverage()->count()) + " partitions");
}

void PostgresSink::close() {
  keeper_ = {};  // asks it to stop, and waits
  workers_.clear();
  for (auto& writer : writers_) writer->disconnect();
}

void PostgresSink::write(hb::Batch batch) {
  if (workers_.empty()) throw hb::Reopen("the connection is not open");
  std::vector<Verdict> verdicts;
  Silence::Write waiting(silence_);
  try {
    check(batch, verdicts);
    try {
      cover(batch, verdicts);
      store(batch, verdicts);
    } catch (const PartitionMissing&) {
      // Dropped behind our back: look again, once. What the other connections stored is met as a duplicate.
      verdicts.clear();
      check(batch, verdicts);
      upkeep_.refresh(&silence_);
      cover(batch, verdicts);
      store(batch, verdicts);
    }
  } catch (const ServerError& error) {
    raise(error, name());
  } catch (const PartitionMissing& error) {
    throw hb::Retry(name() + ": " + error.what());
  }
  waiting.done();
  for (const Verdict& verdict : verdicts) {
    switch (verdict.verdict) {
      case HB_VERDICT_REJECT:
        batch.reject(verdict.index, verdict.reason, verdict.detail.c_str());
        break;
      case HB_VERDICT_RETRY:
        batch.retry(verdict.index);
        break;
      default:
        batch.duplicate(verdict.index);
        break;
    }
  }
  show_gauges();
}

void PostgresSink::stored(const hb::StoredQuery& query, const hb::StoredOutput& output) {
  try {
    read_stored(settings_, host_, query, output);
  } catch (const ServerError& error) {
    raise(error, name());
  }
}

// What the server would refuse, or worse, would take: found before it costs a round trip.
void PostgresSink::check(hb::Batch batch, std::vector<Verdict>& verdicts) {
  const auto newest = host_.now_us() + std::chrono::microseconds(config_.max_future).count();
  const auto expiry = upkeep_.expiry_us();
  accepted_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const hb::Reading& reading = batch[i];
    if (!valid_customer_id(reading)) {
      verdicts.push_back(rejected(i, "bad_customer_id", "not 1 to 41 bytes of UTF-8"));
    } else if (reading.heart_rate < kMinHeartRate || reading.heart_rate > kMaxHeartRate) {
      verdicts.push_back(rejected(i, "out_of_range", "heart_rate is not from 1 to 300"));
    } else if (reading.time_us < kTimeFloorUs) {
      verdicts.push_back(rejected(i, "time_implausible", "time is before 1980"));
    } else if (reading.time_us > newest) {
      verdicts.push_back(rejected(i, "time_future", "time is further ahead of the clock than max_future"));
    } else if (reading.time_us < expiry) {
      verdicts.push_back(rejected(i, "expired", "time is before the retention"));
    } else {
      accepted_.push_back(static_cast<std::uint32_t>(i));
    }
  }
}

// Sees to it that there is a partition for every accepted reading; rejects those for which there can be none.
void PostgresSink::cover(hb::Batch batch, std::vector<Verdict>& verdicts) {
  auto coverage = upkeep_.coverage();
  uncovered_.clear();
  for (const auto row : accepted_) {
    if (!coverage->covers(batch[row].time_us)) uncovered_.push_back(batch[row].time_us);
  }
  if (uncovered_.empty()) return;
  coverage = upkeep_.cover(uncovered_, &silence_);
  const auto now = host_.now_us();
  const bool covers_now = coverage->covers(now);
  std::erase_if(accepted_, [&](std::uint32_t row) {
    if (coverage->covers(batch[row].time_us)) return false;
    if (!covers_now && batch[row].time_us >= now - upkeep_.interval_us()) {
      // Not this reading's fault: every one that comes now would be refused.
      throw hb::Retry(name() + ": heartbeats has no partition for the current time, and manage_schema is false");
    }
    verdicts.push_back(rejected(row, "no_partition", "SQLSTATE 23514: heartbeats has no partition for this time"));
    return true;
  });
}

void PostgresSink::store(hb::Batch batch, std::vector<Verdict>& verdicts) {
  for (auto& rows : assignment_) rows.clear();
  for (const auto row : accepted_) {
    assignment_[workers_.size() == 1 ? 0 : customer_hash(batch[row]) % workers_.size()].push_back(row);
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->start(batch.readings(), assignment_[i]);
  std::exception_ptr gravest;
  for (auto& worker : workers_) {
    try {
      for (Verdict& verdict : worker->wait()) verdicts.push_back(std::move(verdict));
    } catch (...) {
      const auto error = std::current_exception();
      if (!gravest || gravity(error) > gravity(gravest)) gravest = error;
    }
  }
  if (gravest) std::rethrow_exception(gravest);
}

void PostgresSink::catch_up_soon() {
  try {
    upkeep_.catch_up_for_dead_writers(std::min(config_.timeout, kCatchUpAtOnce));
  } catch (const ServerError& error) {
    // The writers would meet the same: a missing privilege, say.
    if (error.remedy() == Remedy::Configuration) throw;
    // Readings do not wait for it: the keeper goes on with it, and has more time.
    host_.warn(name() + ": heartrate_data is brought up to date in the background: " + error.what());
  }
}

void PostgresSink::keep_up(const std::stop_token& stop) {
  const auto interval = std::min<std::chrono::milliseconds>(kUpkeepInterval, config_.partition_interval / 2);
  struct Job {
    const char* name;
    std::function<void()> run;
    std::string failure{};  // as it was last said
  };
  Job jobs[] = {
      {"making partitions ahead of the clock", [&] { upkeep_.cover_ahead(stop); }},
      {"dropping partitions older than the retention", [&] { upkeep_.drop_expired(stop); }},
      {"bringing heartrate_data up to date for writers that ended early",
       [&] { upkeep_.catch_up_for_dead_writers(kCatchUpLimit, stop); }},
  };
  // None of them holds the others up.
  const auto attempt = [&](Job& job) {
    std::string failure;
    try {
      job.run();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (stop.stop_requested() || failure == job.failure) return;
    if (failure.empty()) {
      host_.info(name() + ": " + job.name + " works again");
    } else {
      host_.warn(name() + ": " + job.name + " failed, and is tried again every minute: " + failure);
    }
    job.failure = failure;
  };
  std::unique_lock lock(keeper_mutex_);
  while (!stop.stop_requested()) {
    for (Job& job : jobs) attempt(job);
    keeper_wake_.wait_for(lock, stop, interval, [] { return false; });
  }
}

void PostgresSink::show_gauges() {
  Writer::Counts sum;
  for (auto& worker : workers_) {
    const auto counts = worker->counts();
    sum.copied += counts.copied;
    sum.inserted += counts.inserted;
    sum.redone += counts.redone;
  }
  host_.gauge("copied_rows", static_cast<double>(sum.copied));
  host_.gauge("inserted_rows", static_cast<double>(sum.inserted));
  host_.gauge("redone_batches", static_cast<double>(sum.redone));
  host_.gauge("covering_partitions", static_cast<double>(upkeep_.coverage()->count()));
}

}  // namespace postgres
