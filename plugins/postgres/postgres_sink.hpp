// Stores readings in PostgreSQL: at the speed of COPY, once each whatever is redelivered.
#pragma once

#include "config.hpp"
#include "settings.hpp"
#include "silence.hpp"
#include "upkeep.hpp"
#include "worker.hpp"
#include "writer.hpp"

#include <hbagent/sdk.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace postgres {

class PostgresSink {
 public:
  using Config = postgres::Config;
  static constexpr auto options = kOptions;
  static constexpr std::uint32_t batch_size = 20'000;

  PostgresSink(const Config& config, hb::Host host);
  ~PostgresSink() { close(); }

  void open();
  void write(hb::Batch batch);
  void close();
  // hbagent.stored/1.
  void stored(const hb::StoredQuery& query, const hb::StoredOutput& output);

 private:
  void check(hb::Batch batch, std::vector<Verdict>& verdicts);
  void cover(hb::Batch batch, std::vector<Verdict>& verdicts);
  void store(hb::Batch batch, std::vector<Verdict>& verdicts);
  // As far as it can be done while readings wait; the keeper does the rest.
  void catch_up_soon();
  void keep_up(const std::stop_token& stop);
  void show_gauges();
  // "PostgreSQL at HOST:PORT/DATABASE"
  std::string name() const { return "PostgreSQL at " + settings_.target; }

  const Config config_;
  hb::Host host_;
  const Settings settings_;
  Silence silence_;
  Upkeep upkeep_;
  std::vector<std::unique_ptr<Writer>> writers_;        // last as long as the sink: they keep what is not yet shown
  std::vector<std::vector<std::uint32_t>> assignment_;  // for each writer, its rows of the batch
  std::vector<std::uint32_t> accepted_;                 // rows of the batch that passed the checks
  std::vector<std::int64_t> uncovered_;
  std::mutex keeper_mutex_;
  std::condition_variable_any keeper_wake_;
  std::vector<std::unique_ptr<Worker>> workers_;  // from open to close
  std::jthread keeper_;                           // from open to close: partitions, retention, dead writers
};

}  // namespace postgres
