#include "stored.hpp"

#include "connection.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace postgres {
namespace {

constexpr std::int64_t kEpochUs = 946'684'800'000'000;  // PostgreSQL's times count from 2000-01-01
constexpr std::size_t kBatch = 4096;
// Until the server has sorted the span.
constexpr std::chrono::minutes kLimit{30};

// "schema.table" or "table", quoted.
std::string quote_table(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return quote_identifier(name);
  return quote_identifier(name.substr(0, dot)) + "." + quote_identifier(name.substr(dot + 1));
}

std::string time_literal(std::int64_t time_us) {
  return "(timestamptz 'epoch' + " + std::to_string(time_us) + " * interval '1 microsecond')";
}

// What is longer than a reading's id was never one of ours.
std::string copy_sql(const hb::StoredQuery& query) {
  const std::string table = quote_table(query.table.empty() ? "heartbeats" : query.table);
  return "COPY (SELECT time::timestamptz, customer_id::text, heart_rate::int4 FROM " + table +
         " WHERE time >= " + time_literal(query.from_us) + " AND time < " + time_literal(query.until_us) +
         " AND octet_length(customer_id::text) BETWEEN 1 AND " + std::to_string(hb::kMaxCustomerId) +
         " ORDER BY time, customer_id::text COLLATE \"C\") TO STDOUT (FORMAT binary)";
}

// The binary form of COPY: a header before the first row; each row a count and as many lengths with bytes.
class RowReader {
 public:
  // False: there is no row in it.
  bool read(std::string_view bytes, hb::Reading& reading) {
    if (!header_read_) {
      header_read_ = true;
      bytes.remove_prefix(std::min(kHeaderSize, bytes.size()));
    }
    if (bytes.empty()) return false;
    if (take<std::int16_t>(bytes) != 3) return false;  // -1: the end
    reading = {};
    const auto time = field(bytes);
    const auto id = field(bytes);
    const auto rate = field(bytes);
    if (time.size() != sizeof(std::int64_t) || id.size() > hb::kMaxCustomerId) malformed();
    reading.time_us = number<std::int64_t>(time) + kEpochUs;
    std::memcpy(reading.customer_id, id.data(), id.size());
    if (rate.size() == sizeof(std::int32_t)) reading.heart_rate = number<std::int32_t>(rate);  // else NULL: 0
    return true;
  }

 private:
  static constexpr std::size_t kHeaderSize = 19;

  [[noreturn]] static void malformed() { throw ServerError("08P01", "COPY sent what is no row of ours"); }
  template <class Number>
  static Number number(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return static_cast<Number>(value);
  }
  template <class Number>
  static Number take(std::string_view& bytes) {
    if (bytes.size() < sizeof(Number)) malformed();
    const auto value = number<Number>(bytes.substr(0, sizeof(Number)));
    bytes.remove_prefix(sizeof(Number));
    return value;
  }
  static std::string_view field(std::string_view& bytes) {
    const auto size = take<std::int32_t>(bytes);
    if (size < 0) return {};
    if (bytes.size() < static_cast<std::size_t>(size)) malformed();
    const auto value = bytes.substr(0, static_cast<std::size_t>(size));
    bytes.remove_prefix(value.size());
    return value;
  }

  bool header_read_ = false;
};

}  // namespace

void read_stored(const Settings& settings, hb::Host host, const hb::StoredQuery& query,
                 const hb::StoredOutput& output) {
  Connection connection(settings, host);
  connection.hurry(kLimit);
  connection.run("SET statement_timeout = 0; SET default_transaction_read_only = on");
  std::vector<hb::Reading> batch;
  batch.reserve(kBatch);
  RowReader rows;
  bool wanted = true;
  connection.copy_out(copy_sql(query), [&](std::string_view bytes) {
    hb::Reading reading;
    if (!rows.read(bytes, reading)) return true;
    batch.push_back(reading);
    if (batch.size() < kBatch) return true;
    wanted = output.readings(batch);
    batch.clear();
    return wanted;
  });
  if (wanted && !batch.empty()) static_cast<void>(output.readings(batch));
}

}  // namespace postgres
