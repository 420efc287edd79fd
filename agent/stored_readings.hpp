// What a store holds of a span of time, through the extension hbagent.stored/1 of its sink.
#pragma once

#include <string>
#include <thread>

#include "expected_readings.hpp"
#include "instance.hpp"
#include "reading_queue.hpp"

namespace hbagent {

// An instance of a sink with its options' defaults, `text` options apart. The plugin outlives it. Throws
// std::runtime_error.
InstanceConfig sink_with(const Plugin& plugin, const std::string& key, const std::string& text);

// Reads on a thread of its own. `sink` outlives it.
class StoredReadings final : public ReadingStream {
 public:
  // `table` empty: where the sink itself puts readings.
  StoredReadings(const InstanceConfig& sink, std::string table, const TimeSpan& span, Logger& logger);
  ~StoredReadings() override;
  StoredReadings(const StoredReadings&) = delete;
  StoredReadings& operator=(const StoredReadings&) = delete;

  bool next(std::vector<hb_reading>& batch) override { return queue_.next(batch); }

 private:
  std::string run();  // what went wrong

  const std::string table_;
  const TimeSpan span_;
  Instance instance_;
  ReadingQueue queue_;
  std::thread thread_;
};

}  // namespace hbagent
