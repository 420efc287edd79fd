// Stores readings through one connection: sorted COPY BINARY for what is newer than its customer's watermark, an
// insert that tolerates duplicates for the rest. One bad row is found and taken out. One thread at a time.
#pragma once

#include "connection.hpp"
#include "latest.hpp"
#include "watermarks.hpp"

#include <hbagent/sdk.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace postgres {

// What is to be said of one reading of a batch that was not plainly stored.
struct Verdict {
  std::uint32_t index;
  std::int32_t verdict;  // HB_VERDICT_*
  const char* reason = nullptr;
  std::string detail{};
};

// A partition is missing that the coverage showed: somebody dropped it. Nothing was stored.
struct PartitionMissing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The hash by which customers are known here: for the watermarks and for sharing the work.
std::uint64_t customer_hash(const hb::Reading& reading);

class Writer {
 public:
  struct Counts {
    std::uint64_t copied = 0;    // rows stored by COPY
    std::uint64_t inserted = 0;  // rows offered to the path that tolerates duplicates
    std::uint64_t redone = 0;    // batches that COPY found to hold duplicates
  };

  // `silence` learns of waits that are long; it outlives the writer.
  Writer(const Settings& settings, hb::Host host, std::size_t watermark_capacity, Silence* silence = nullptr)
      : settings_(settings), host_(host), silence_(silence), watermarks_(watermark_capacity) {}

  // Throws ServerError. What was not yet shown in heartrate_data is kept across connections.
  void connect();
  void disconnect();
  // False once the connection was found to be lost; it then stays so until connect().
  bool usable() const { return connection_ && connection_->usable(); }

  // Stores the readings `all[i]` for i in `chosen` (which it reorders), in one transaction. Appends verdicts for the
  // others than plainly stored. Throws ServerError or PartitionMissing: nothing was stored, or (connection lost in the
  // commit) it is not known; writing them again is right in either case.
  void write(std::span<const hb::Reading> all, std::vector<std::uint32_t>& chosen, std::vector<Verdict>& verdicts);

  // Readings stored but not shown in heartrate_data.
  const Latest& latest() const { return latest_; }
  // Shows them. Throws ServerError; they are kept then.
  void flush_latest();
  // Last words: flushes within the time given, else leaves it to heartbeat_unflushed.
  void finish(std::chrono::milliseconds limit);

  const Counts& counts() const { return counts_; }
  std::size_t known_customers() const { return watermarks_.size(); }

 private:
  using Rows = std::span<const std::uint32_t>;

  const hb::Reading& at(std::uint32_t index) const { return all_[index]; }
  void sort_and_dedupe(std::vector<std::uint32_t>& chosen);
  void find_customers(Rows rows);
  void load_watermarks(Rows rows);
  void split_by_watermark(Rows rows);
  void begin();
  void send_queued();
  void copy_isolating(Rows rows);
  void copy(Rows rows);
  void insert_isolating(Rows rows);
  void insert(Rows rows);
  void undo_statement(const ServerError& error);
  void reject(std::uint32_t index, const ServerError& error);
  void commit();
  void remember_stored(Rows rows);
  std::vector<Verdict> take_verdicts();

  const Settings& settings_;
  hb::Host host_;
  Silence* const silence_;
  Watermarks watermarks_;
  Latest latest_;
  Counts counts_;
  std::optional<Connection> connection_;
  std::int64_t writer_id_ = 0;
  std::random_device random_;
  // Consecutive rows of one customer.
  struct Run {
    std::uint32_t begin, end;
    std::uint64_t customer;
    std::int64_t mark;
  };
  // What heartbeat_unflushed says of this writer, and what the open transaction makes of it.
  struct Span {
    std::int64_t low, high;
  };
  std::optional<Span> marked_, marking_;

  // The batch at hand. Rows are indexes into all_, sorted by customer and time.
  std::span<const hb::Reading> all_;
  std::vector<Run> runs_;
  std::vector<std::uint32_t> fresh_, late_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> copies_;  // a reading and the earlier one of the same key
  std::vector<std::uint32_t> stored_before_;
  std::vector<Verdict> rejected_;
  std::string queued_;  // statements that go out with the next one: a round trip less each
  std::string buffer_;
};

}  // namespace postgres
