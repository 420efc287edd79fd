// The options of the sqlite sink.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace sqlite {

// Readings before this time come from a clock that was never set (policy of the whole pipeline).
inline constexpr std::int64_t kTimeFloorUs = 315'532'800'000'000;  // 1980-01-01T00:00:00Z
inline constexpr std::int32_t kMinHeartRate = 1;
inline constexpr std::int32_t kMaxHeartRate = 300;

enum class Synchronous : std::uint8_t { full, normal };

struct Config {
  std::string path;
  Synchronous synchronous = Synchronous::full;
  bool customer_index = false;
  std::optional<std::chrono::seconds> retention;
  std::chrono::seconds max_future = std::chrono::hours(24);
  std::chrono::milliseconds latest_interval = std::chrono::seconds(1);
  std::chrono::milliseconds timeout = std::chrono::seconds(5);
  hb::Bytes max_wal{512ULL << 20};
};

inline constexpr auto kOptions = hb::options(
    hb::option("path", &Config::path, "Database file, which is made where there is none; its folder must exist.")
        .required()
        .example("\"/var/lib/hbagent/heartbeats.db\""),
    hb::option("synchronous", &Config::synchronous,
               "full: what counts as delivered survives power loss. normal: it survives the death of the agent, but a "
               "power loss may take the last of it.")
        .choices("full", "normal"),
    hb::option("customer_index", &Config::customer_index,
               "Keep an index by customer, for the whole history of one customer at once. Writing is several times "
               "slower with it. false makes none, and leaves one that is there."),
    hb::option("retention", &Config::retention,
               "Age at which readings are deleted; older ones are rejected (expired). Default: never.")
        .min(std::chrono::minutes(1))
        .example("\"90d\""),
    hb::option("max_future", &Config::max_future,
               "How far ahead of the clock a reading may be; beyond it is rejected (time_future).")
        .range(std::chrono::seconds(0), std::chrono::hours(24 * 36'600)),
    hb::option("latest_interval", &Config::latest_interval,
               "How often heartrate_data, the latest reading of each customer, is brought up to date.")
        .range(std::chrono::milliseconds(10), std::chrono::minutes(10)),
    hb::option("timeout", &Config::timeout,
               "Longest wait for another program that writes to the file before the batch is tried again later.")
        .range(std::chrono::milliseconds(0), std::chrono::minutes(10)),
    hb::option("max_wal", &Config::max_wal,
               "Size of the write-ahead log (path-wal) beyond which the sink waits for a reader that holds it up.")
        .range(hb::operator""_MiB(16), hb::operator""_GiB(1024)));

}  // namespace sqlite
