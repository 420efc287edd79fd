#include "writer.hpp"

#include "encode.hpp"
#include "order.hpp"
#include "partitions.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>

namespace postgres {
namespace {

constexpr std::size_t kChunk = 64UL * 1024;
// After the first bad row, so that a batch full of bad rows does not send its tail again for each of them.
constexpr std::size_t kIsolatingRows = 256;

constexpr const char* kCopy =
    "COPY heartbeats (customer_id, time, heart_rate, flags, received_at) FROM STDIN (FORMAT binary)";
constexpr const char* kInsert =
    "INSERT INTO heartbeats (customer_id, time, heart_rate, flags, received_at) "
    "SELECT * FROM unnest($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING customer_id, time";
constexpr const char* kShowLatest =
    "WITH shown AS (DELETE FROM heartbeat_unflushed WHERE writer = $4) "
    "INSERT INTO heartrate_data AS d (customer_id, heart_rate, time) SELECT * FROM unnest($1, $2, $3) "
    "ON CONFLICT (customer_id) DO UPDATE SET heart_rate = excluded.heart_rate, time = excluded.time "
    "WHERE excluded.time > d.time";

std::string_view value_of(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}

std::string bytes_of(std::int64_t value) {
  std::string bytes;
  append_int64(bytes, value);
  return bytes;
}

}  // namespace

std::uint64_t customer_hash(const hb::Reading& reading) {
  return std::hash<std::string_view>{}(hb::customer_id(reading));
}

void Writer::connect() {
  connection_.emplace(settings_, host_, silence_);
  // Whoever cleans up behind dead writers cannot get this lock while the session lives.
  writer_id_ = static_cast<std::int64_t>((std::uint64_t{random_()} << 32 | random_()) >> 1);
  connection_->run("SELECT pg_advisory_lock(" + std::to_string(writer_id_) + ")");
  marked_.reset();
  watermarks_.clear();
}

void Writer::disconnect() {
  connection_.reset();
}

void Writer::write(std::span<const hb::Reading> all, std::vector<std::uint32_t>& chosen,
                   std::vector<Verdict>& verdicts) {
  if (chosen.empty()) return;
  if (!usable()) throw ServerError({}, "the connection was lost");
  all_ = all;
  sort_and_dedupe(chosen);
  find_customers(chosen);
  load_watermarks(chosen);
  split_by_watermark(chosen);
  stored_before_.clear();
  rejected_.clear();
  try {
    begin();
    copy_isolating(fresh_);
    insert_isolating(late_);
    commit();
  } catch (...) {
    connection_->roll_back();
    throw;
  }
  remember_stored(chosen);
  for (auto& verdict : take_verdicts()) verdicts.push_back(std::move(verdict));
}

// Sorted input is worth 1.5 times the speed, and writers of the same customers wait in line instead of in a circle.
void Writer::sort_and_dedupe(std::vector<std::uint32_t>& chosen) {
  sort_by_key(all_, chosen);
  copies_.clear();
  std::size_t kept = 0;
  for (const std::uint32_t row : chosen) {
    if (kept > 0 && at(chosen[kept - 1]).time_us == at(row).time_us && same_customer(at(chosen[kept - 1]), at(row))) {
      copies_.emplace_back(row, chosen[kept - 1]);
    } else {
      chosen[kept++] = row;
    }
  }
  chosen.resize(kept);
}

void Writer::find_customers(Rows rows) {
  runs_.clear();
  for (std::uint32_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    while (end < rows.size() && same_customer(at(rows[begin]), at(rows[end]))) ++end;
    // Until it is known: everything may be stored already.
    runs_.push_back({begin, end, customer_hash(at(rows[begin])), std::numeric_limits<std::int64_t>::max()});
  }
}

void Writer::load_watermarks(Rows rows) {
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (const auto mark = watermarks_.find(runs_[i].customer)) {
      runs_[i].mark = *mark;
    } else {
      unknown.push_back(i);
    }
  }
  if (unknown.empty()) return;
  ArrayEncoder ids(kVarchar, unknown.size());
  for (const auto run : unknown) ids.add_text(hb::customer_id(at(rows[runs_[run].begin])));
  Parameters parameters;
  parameters.add(kVarcharArray, ids.bytes());
  const Result found =
      connection_->run("SELECT customer_id, time FROM heartrate_data WHERE customer_id = ANY ($1)", parameters);
  std::unordered_map<std::uint64_t, std::int64_t> marks;
  for (int i = 0; i < PQntuples(found.get()); ++i) {
    marks[std::hash<std::string_view>{}(value_of(found.get(), i, 0))] =
        from_server_time(read_int64(PQgetvalue(found.get(), i, 1)));
  }
  for (const auto run : unknown) {
    const auto mark = marks.find(runs_[run].customer);
    // Who is not there has nothing stored.
    runs_[run].mark = mark == marks.end() ? std::numeric_limits<std::int64_t>::min() : mark->second;
    watermarks_.raise(runs_[run].customer, runs_[run].mark);
  }
}

void Writer::split_by_watermark(Rows rows) {
  fresh_.clear();
  late_.clear();
  marking_ = marked_;
  for (const Run& run : runs_) {
    for (auto i = run.begin; i < run.end; ++i) {
      const auto time = at(rows[i]).time_us;
      if (time <= run.mark) {
        late_.push_back(rows[i]);
        continue;
      }
      fresh_.push_back(rows[i]);
      marking_ = marking_ ? Span{std::min(marking_->low, time), std::max(marking_->high, time)} : Span{time, time};
    }
  }
}

void Writer::begin() {
  // Immediate, so that a deferred constraint names its row instead of failing the commit.
  std::string sql = "BEGIN; SET CONSTRAINTS ALL IMMEDIATE";
  if (marking_ && (!marked_ || marking_->low < marked_->low || marking_->high > marked_->high)) {
    // In the same transaction as the rows: whatever happens to this process, somebody can show the latest of them.
    sql += "; INSERT INTO heartbeat_unflushed (writer, low, high) VALUES (" + std::to_string(writer_id_) + ", '" +
           timestamp_text(marking_->low) + "', '" + timestamp_text(marking_->high) +
           "') ON CONFLICT (writer) DO UPDATE SET low = excluded.low, high = excluded.high";
  }
  queued_ = sql + ';';
}

void Writer::send_queued() {
  if (!queued_.empty()) connection_->run(std::exchange(queued_, {}));
}

void Writer::copy_isolating(Rows rows) {
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  while (!rows.empty()) {
    const Rows part = rows.first(std::min(limit, rows.size()));
    rows = rows.subspan(part.size());
    queued_ += "SAVEPOINT part;";
    try {
      copy(part);
      continue;
    } catch (const ServerError& error) {
      undo_statement(error);
      limit = kIsolatingRows;
      if (error.remedy() == Remedy::Redo) {
        ++counts_.redone;
        insert_isolating(part);
        continue;
      }
      const auto line = copy_line(error.context, "heartbeats");
      if (line && *line >= 1 && *line <= part.size()) {
        // The rows before it were looked at and found good.
        reject(part[*line - 1], error);
        copy_isolating(part.first(*line - 1));
        rows = Rows(part.data() + *line, part.size() - *line + rows.size());
        continue;
      }
      if (part.size() == 1) {
        reject(part[0], error);
        continue;
      }
    }
    copy_isolating(part.first(part.size() / 2));
    copy_isolating(part.subspan(part.size() / 2));
  }
}

void Writer::copy(Rows rows) {
  connection_->copy_begin(std::exchange(queued_, {}) + kCopy);
  buffer_.clear();
  append_copy_header(buffer_);
  for (const std::uint32_t row : rows) {
    append_copy_row(buffer_, at(row));
    if (buffer_.size() >= kChunk) {
      connection_->copy_data(buffer_);
      buffer_.clear();
    }
  }
  append_copy_trailer(buffer_);
  connection_->copy_data(buffer_);
  counts_.copied += connection_->copy_end();
}

// An INSERT does not say which row it was: halves until it is alone.
void Writer::insert_isolating(Rows rows) {
  if (rows.empty()) return;
  queued_ += "SAVEPOINT part;";
  try {
    insert(rows);
    return;
  } catch (const ServerError& error) {
    undo_statement(error);
    if (rows.size() == 1) {
      reject(rows[0], error);
      return;
    }
  }
  insert_isolating(rows.first(rows.size() / 2));
  insert_isolating(rows.subspan(rows.size() / 2));
}

void Writer::insert(Rows rows) {
  send_queued();
  ArrayEncoder ids(kVarchar, rows.size()), times(kTimestamptz, rows.size()), rates(kInt4, rows.size()),
      flags(kInt2, rows.size()), received(kTimestamptz, rows.size());
  for (const std::uint32_t row : rows) {
    const hb::Reading& reading = at(row);
    ids.add_text(hb::customer_id(reading));
    times.add_int64(to_server_time(reading.time_us));
    rates.add_int32(reading.heart_rate);
    flags.add_int16(static_cast<std::int16_t>(reading.flags));
    received.add_int64(to_server_time(reading.received_us));
  }
  Parameters parameters;
  parameters.add(kVarcharArray, ids.bytes());
  parameters.add(kTimestamptzArray, times.bytes());
  parameters.add(kInt4Array, rates.bytes());
  parameters.add(kInt2Array, flags.bytes());
  parameters.add(kTimestamptzArray, received.bytes());
  const Result stored = connection_->run(kInsert, parameters);
  counts_.inserted += rows.size();

  std::vector<bool> is_new(rows.size());
  for (int i = 0; i < PQntuples(stored.get()); ++i) {
    const auto id = value_of(stored.get(), i, 0);
    const auto time = from_server_time(read_int64(PQgetvalue(stored.get(), i, 1)));
    const auto row = std::lower_bound(rows.begin(), rows.end(), 0, [&](std::uint32_t index, int) {
      const int order = hb::customer_id(at(index)).compare(id);
      return order != 0 ? order < 0 : at(index).time_us < time;
    });
    if (row != rows.end()) is_new[static_cast<std::size_t>(row - rows.begin())] = true;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!is_new[i]) stored_before_.push_back(rows[i]);
  }
}

// Back to before the statement where one of its rows is to blame; throws where it is not.
void Writer::undo_statement(const ServerError& error) {
  if (error.no_partition()) throw PartitionMissing(error.what());
  if (error.remedy() != Remedy::RejectRow && error.remedy() != Remedy::Redo) throw error;
  connection_->run("ROLLBACK TO SAVEPOINT part");
}

void Writer::reject(std::uint32_t index, const ServerError& error) {
  const char* reason = "refused_by_database";
  if (error.sqlstate == "23514") reason = "check_violation";
  if (error.sqlstate == "23502") reason = "not_null_violation";
  if (error.sqlstate.starts_with("22")) reason = "data_error";
  rejected_.push_back({index, HB_VERDICT_REJECT, reason, error.detail()});
}

void Writer::commit() {
  send_queued();
  const Result result = connection_->run("COMMIT");
  // The server answers ROLLBACK, without an error, where the transaction had failed.
  if (std::string_view(PQcmdStatus(result.get())) != "COMMIT") throw ServerError("40000", "the commit rolled back");
  marked_ = marking_;
}

// Only now, since a mark above what is stored would be forgotten work, and one below it costs no more than a redo.
void Writer::remember_stored(Rows rows) {
  std::vector<std::uint32_t> refused;
  for (const Verdict& verdict : rejected_) refused.push_back(verdict.index);
  std::sort(refused.begin(), refused.end());
  std::sort(stored_before_.begin(), stored_before_.end());
  const auto in = [](const std::vector<std::uint32_t>& sorted, std::uint32_t row) {
    return !sorted.empty() && std::binary_search(sorted.begin(), sorted.end(), row);
  };
  for (const Run& run : runs_) {
    bool marked = false;
    for (auto i = run.end; i-- > run.begin;) {  // the newest first
      const std::uint32_t row = rows[i];
      if (in(refused, row)) continue;
      if (!marked) watermarks_.raise(run.customer, at(row).time_us);
      marked = true;
      // One that was stored before may have another heart rate there; whoever stored it shows it.
      if (in(stored_before_, row)) continue;
      latest_.add(at(row));
      break;
    }
  }
}

std::vector<Verdict> Writer::take_verdicts() {
  for (const auto& [copy, first] : copies_) {
    const bool first_refused = std::any_of(rejected_.begin(), rejected_.end(),
                                           [row = first](const Verdict& each) { return each.index == row; });
    stored_before_.push_back(copy);
    if (!first_refused) continue;
    stored_before_.pop_back();
    rejected_.push_back({copy, HB_VERDICT_RETRY});
  }
  for (const std::uint32_t row : stored_before_) rejected_.push_back({row, HB_VERDICT_DUPLICATE});
  return std::move(rejected_);
}

void Writer::flush_latest() {
  if (latest_.empty()) return;
  if (!usable()) throw ServerError({}, "the connection was lost");
  const auto& readings = latest_.sorted();
  ArrayEncoder ids(kVarchar, readings.size()), rates(kInt4, readings.size()), times(kTimestamp, readings.size());
  for (const hb::Reading& reading : readings) {
    ids.add_text(hb::customer_id(reading));
    rates.add_int32(reading.heart_rate);
    times.add_int64(to_server_time(reading.time_us));
  }
  const std::string writer = bytes_of(writer_id_);
  Parameters parameters;
  parameters.add(kVarcharArray, ids.bytes());
  parameters.add(kInt4Array, rates.bytes());
  parameters.add(kTimestampArray, times.bytes());
  parameters.add(kInt8, writer);
  connection_->run(kShowLatest, parameters);
  latest_.clear();
  marked_.reset();
}

void Writer::finish(std::chrono::milliseconds limit) {
  if (!usable()) return;
  connection_->hurry(limit);
  try {
    flush_latest();
  } catch (const ServerError& error) {
    host_.warn(std::string("heartrate_data is behind until the next start: ") + error.what());
  }
}

}  // namespace postgres
