// Stores readings in one SQLite file: once each whatever is redelivered, readable while it is written.
#pragma once

#include "config.hpp"
#include "store.hpp"

#include <hbagent/sdk.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sqlite {

class SqliteSink {
 public:
  using Config = sqlite::Config;
  static constexpr auto options = kOptions;
  static constexpr std::uint32_t batch_size = 20'000;

  SqliteSink(const Config& config, hb::Host host);
  ~SqliteSink() { close(); }

  void open();
  void write(hb::Batch batch);
  void close();

 private:
  void check(hb::Batch batch);
  bool is_moved();  // hb::Retry where what belongs to the moved file cannot be written back to it
  void set_aside_wal(const SqliteError& error);
  // Flushes, catches up, deletes and shrinks between the writes, until told to stop.
  void keep_up(const std::stop_token& stop);
  // One step of each job. True: there is more to do.
  bool keep_up_once(std::string& failure);
  void show_gauges();

  const Config config_;
  hb::Host host_;
  const std::string path_;  // absolute
  std::vector<std::uint32_t> accepted_;
  std::vector<Verdict> verdicts_;
  std::string checkpoint_failure_;  // as it was last said
  std::mutex mutex_;                // the store is used by one thread at a time
  std::condition_variable_any wake_;
  std::optional<Store> store_;  // from open to close
  std::jthread keeper_;         // from open to close
};

}  // namespace sqlite
