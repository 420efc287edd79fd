#include "upkeep.hpp"

#include "migrations.hpp"
#include "session.hpp"
#include "sqlstate.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace postgres {
namespace {

// Each partition takes a handful of the server's lock slots until the transaction ends.
constexpr std::size_t kPartitionsPerTransaction = 32;
// A drop waits for readers, and everybody else waits behind it: better not now than long.
constexpr const char* kDropLockTimeout = "SET LOCAL lock_timeout = '1s'";

struct Partition {
  std::string name;
  TimeRange range;
};

struct Partitions {
  std::vector<Partition> all;
  bool everything = false;
};

Partitions read_partitions(pqxx::work& transaction) {
  Partitions found;
  if (transaction.exec("SELECT relkind FROM pg_class WHERE oid = to_regclass('heartbeats')")[0][0].as<std::string>() !=
      "p") {
    found.everything = true;
    return found;
  }
  const auto microseconds = [](const std::string& keyword) {
    return "(extract(epoch FROM substring(bound FROM '" + keyword + R"( \(''([^'']+)''\)')::timestamptz))" +
           " * 1000000)::bigint";
  };
  const auto rows = transaction.exec(
      "SELECT name, bound = 'DEFAULT', " + microseconds("FROM") + ", " + microseconds("TO") +
      " FROM (SELECT c.oid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i "
      "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass('heartbeats')) AS partition");
  for (const auto& row : rows) {
    if (row[1].as<bool>()) {
      found.everything = true;
      continue;
    }
    Partition partition{row[0].as<std::string>(), {}};
    if (!row[2].is_null()) partition.range.from = row[2].as<std::int64_t>();
    if (!row[3].is_null()) partition.range.to = row[3].as<std::int64_t>();
    found.all.push_back(std::move(partition));
  }
  return found;
}

Coverage coverage_of(const Partitions& partitions) {
  std::vector<TimeRange> ranges;
  for (const auto& partition : partitions.all) ranges.push_back(partition.range);
  return {std::move(ranges), partitions.everything};
}

// Beside the parent first and attached then: unlike CREATE ... PARTITION OF this does not wait for, nor stop, writers.
void create_partition(pqxx::work& transaction, const TimeRange& range) {
  const std::string wanted = partition_name(range.from);
  std::string name = wanted;
  for (int copy = 2; !transaction.exec("SELECT to_regclass(" + transaction.quote(name) + ")")[0][0].is_null(); ++copy) {
    name = wanted + '_' + std::to_string(copy);  // a detached one keeps its name
  }
  transaction.exec("CREATE TABLE " + name + " (LIKE heartbeats INCLUDING ALL)");
  transaction.exec("ALTER TABLE heartbeats ATTACH PARTITION " + name + " FOR VALUES FROM ('" +
                   timestamp_text(range.from) + "') TO ('" + timestamp_text(range.to) + "')");
}

// Newer readings only: what is shown never moves backwards.
void show_latest_between(pqxx::work& transaction, const std::string& low, const std::string& high) {
  transaction.exec(
      "INSERT INTO heartrate_data AS shown (customer_id, heart_rate, time) "
      "SELECT DISTINCT ON (customer_id) customer_id, heart_rate, time AT TIME ZONE 'UTC' FROM heartbeats "
      "WHERE time BETWEEN " +
      transaction.quote(low) + " AND " + transaction.quote(high) +
      " ORDER BY customer_id, time DESC ON CONFLICT (customer_id) DO UPDATE "
      "SET heart_rate = excluded.heart_rate, time = excluded.time WHERE excluded.time > shown.time");
}

// Of several pieces of work that do not depend on each other: one that fails holds none of the others up.
class FirstFailure {
 public:
  template <class Work>
  void keep(const Work& work) {
    try {
      work();
    } catch (const ServerError&) {
      if (!first_) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::exception_ptr first_;
};

}  // namespace

std::shared_ptr<const Coverage> Upkeep::coverage() const {
  const std::lock_guard lock(mutex_);
  return coverage_;
}

void Upkeep::refresh(Silence* silence) {
  std::shared_ptr<const Coverage> seen;
  const auto look = [&](pqxx::work& transaction) {
    seen = std::make_shared<const Coverage>(coverage_of(read_partitions(transaction)));
  };
  in_transaction(settings_, host_, settings_.timeout, look, silence);
  const std::lock_guard lock(mutex_);
  coverage_ = std::move(seen);
}

std::shared_ptr<const Coverage> Upkeep::cover(std::span<const std::int64_t> times, Silence* silence) {
  refresh(silence);
  if (config_.manage_schema) {
    while (add_partitions(times, silence, {})) {
    }
  }
  return coverage();
}

bool Upkeep::add_partitions(std::span<const std::int64_t> times, Silence* silence, const std::stop_token& stop) {
  if (coverage()->missing(times, interval_us()).empty()) return false;
  const auto old = host_.now_us() - interval_us();
  std::size_t made = 0;
  std::shared_ptr<const Coverage> seen;
  const auto add = [&](pqxx::work& transaction) {
    lock_schema(transaction, settings_, host_);
    Partitions partitions = read_partitions(transaction);
    const auto ranges = coverage_of(partitions).missing(times, interval_us());
    for (const TimeRange& range : ranges) {
      if (made == kPartitionsPerTransaction) break;
      if (range.to <= old && partitions.all.size() >= static_cast<std::size_t>(config_.max_partitions)) continue;
      create_partition(transaction, range);
      partitions.all.push_back({{}, range});
      ++made;
    }
    seen = std::make_shared<const Coverage>(coverage_of(partitions));
  };
  try {
    in_transaction(settings_, host_, settings_.timeout, add, silence, stop);
  } catch (const ServerError& error) {
    if (error.sqlstate != "42501") throw;
    throw hb::Failed("the role may not add partitions (" + std::string(error.what()) +
                     "): make it the owner of heartbeats with CREATE on the schema, or have an administrator make "
                     "partitions and set manage_schema = false");
  }
  const std::lock_guard lock(mutex_);
  coverage_ = std::move(seen);
  return made > 0;
}

void Upkeep::cover_ahead(const std::stop_token& stop) {
  if (!config_.manage_schema) return;
  std::vector<std::int64_t> times;
  const auto now = host_.now_us();
  for (std::int64_t i = 0; i <= config_.partitions_ahead; ++i) times.push_back(now + i * interval_us());
  while (add_partitions(times, nullptr, stop)) {
  }
}

void Upkeep::drop_expired(const std::stop_token& stop) {
  if (!config_.manage_schema || !config_.retention) return;
  std::vector<Partition> expired;
  const auto find = [&](pqxx::work& transaction) {
    for (auto& partition : read_partitions(transaction).all) {
      if (partition.range.to <= expiry_us()) expired.push_back(std::move(partition));
    }
  };
  in_transaction(settings_, host_, settings_.timeout, find, nullptr, stop);
  if (expired.empty()) return;
  FirstFailure failure;
  for (const Partition& partition : expired) {
    if (stop.stop_requested()) break;
    failure.keep([&] {
      const auto drop = [&](pqxx::work& transaction) {
        transaction.exec(kDropLockTimeout);
        transaction.exec("DROP TABLE IF EXISTS " + partition.name);
      };
      in_transaction(settings_, host_, settings_.timeout, drop, nullptr, stop);
      host_.info("dropped partition " + partition.name + ", older than the retention");
    });
  }
  failure.keep([&] { refresh(); });
  failure.rethrow();
}

std::int64_t Upkeep::expiry_us() const {
  if (!config_.retention) return std::numeric_limits<std::int64_t>::min();
  return host_.now_us() - std::chrono::microseconds(*config_.retention).count();
}

void Upkeep::catch_up_for_dead_writers(std::chrono::milliseconds limit, const std::stop_token& stop) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + limit;
  std::vector<std::string> writers;
  const auto find = [&](pqxx::work& transaction) {
    for (const auto& row : transaction.exec("SELECT writer FROM heartbeat_unflushed")) {
      writers.push_back(row[0].as<std::string>());
    }
  };
  in_transaction(settings_, host_, settings_.timeout, find, nullptr, stop);
  FirstFailure failure;
  auto left = static_cast<int>(writers.size());
  for (const std::string& writer : writers) {
    if (stop.stop_requested()) break;
    // The same share for each, so that one with much to show holds none of the others up.
    const auto share = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()) / left--;
    failure.keep([&] { catch_up(writer, std::max(share, std::chrono::milliseconds(1)), stop); });
  }
  failure.rethrow();
}

void Upkeep::catch_up(const std::string& writer, std::chrono::milliseconds limit, const std::stop_token& stop) {
  bool is_dead = false;
  const auto show = [&](pqxx::work& transaction) {
    // A living writer holds this lock for as long as it is connected.
    if (!transaction.exec("SELECT pg_try_advisory_xact_lock(" + writer + ")")[0][0].as<bool>()) return;
    const auto rows =
        transaction.exec("DELETE FROM heartbeat_unflushed WHERE writer = " + writer + " RETURNING low, high");
    if (rows.empty()) return;
    show_latest_between(transaction, rows[0][0].as<std::string>(), rows[0][1].as<std::string>());
    is_dead = true;
  };
  in_transaction(settings_, host_, limit, show, nullptr, stop);
  if (is_dead) host_.info("brought heartrate_data up to date for a writer that ended early");
}

}  // namespace postgres
