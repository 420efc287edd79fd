// Keeps the tables fit while the sink writes: partitions ahead of the clock and for the times of a batch, retention,
// and heartrate_data for writers that died before they could bring it up to date.
#pragma once

#include "config.hpp"
#include "partitions.hpp"
#include "settings.hpp"
#include "silence.hpp"

#include <hbagent/sdk.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace postgres {

// Thread-safe. Every function but coverage() talks to the server on a connection of its own and throws ServerError, or
// hb::Failed where the role may not.
class Upkeep {
 public:
  Upkeep(const Config& config, const Settings& settings, hb::Host host)
      : config_(config), settings_(settings), host_(host) {}

  // Which times have a partition, as last seen.
  std::shared_ptr<const Coverage> coverage() const;
  // Looks which partitions there are. Here and below, `silence` is given where a write waits for it.
  void refresh(Silence* silence = nullptr);
  // Makes partitions for times that have none, as far as manage_schema and max_partitions allow. Looks again first:
  // another agent or an administrator may have made them.
  std::shared_ptr<const Coverage> cover(std::span<const std::int64_t> times, Silence* silence = nullptr);
  // Partitions ahead of the clock. Here and below, `stop` ends it soon.
  void cover_ahead(const std::stop_token& stop = {});
  // Drops the partitions that lie before the retention entirely.
  void drop_expired(const std::stop_token& stop = {});
  // Brings heartrate_data up to date for what dead writers left in heartbeat_unflushed. `limit` is for all of them
  // together, in equal shares; what was done by then stays.
  void catch_up_for_dead_writers(std::chrono::milliseconds limit, const std::stop_token& stop = {});

  // Readings before this time are not kept; INT64_MIN without retention.
  std::int64_t expiry_us() const;
  std::int64_t interval_us() const { return std::chrono::microseconds(config_.partition_interval).count(); }

 private:
  // Up to max_partitions for old times. True: some were made.
  bool add_partitions(std::span<const std::int64_t> times, Silence* silence, const std::stop_token& stop);
  void catch_up(const std::string& writer, std::chrono::milliseconds limit, const std::stop_token& stop);

  const Config& config_;
  const Settings& settings_;
  hb::Host host_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Coverage> coverage_ = std::make_shared<const Coverage>();
};

}  // namespace postgres
