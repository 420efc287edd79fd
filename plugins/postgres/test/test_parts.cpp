// The parts that need no server.
#include <hbagent/testing.hpp>

#include "encode.hpp"
#include "latest.hpp"
#include "order.hpp"
#include "partitions.hpp"
#include "settings.hpp"
#include "silence.hpp"
#include "sqlstate.hpp"
#include "support/catch.hpp"
#include "watermarks.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace postgres;
using hb::testing::make_reading;

namespace {

std::string parameter(const Settings& settings, const std::string& key) {
  for (const auto& [keyword, value] : settings.parameters) {
    if (keyword == key) return value;
  }
  return "(none)";
}

template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "(no error)";
}

constexpr std::int64_t kDay = 86'400'000'000;

}  // namespace

TEST_CASE("settings come from a URI or from parts, and bound every wait") {
  Config config;
  config.uri = "postgresql://edge:s3cret@db.local:5435/heartbeat_db?sslmode=require&application_name=mine";
  config.timeout = std::chrono::seconds(12);
  const Settings from_uri = make_settings(config);
  CHECK(parameter(from_uri, "host") == "db.local");
  CHECK(parameter(from_uri, "password") == "s3cret");
  CHECK(parameter(from_uri, "application_name") == "mine");
  CHECK(parameter(from_uri, "tcp_user_timeout") == "12000");
  CHECK(parameter(from_uri, "target_session_attrs") == "read-write");
  CHECK(from_uri.target == "db.local:5435/heartbeat_db");
  CHECK(from_uri.session_sql().find("statement_timeout = 12000") != std::string::npos);

  Config parts;
  parts.host = "db.local";
  parts.port = 5435;
  parts.password = "it's \\ here";
  const Settings from_parts = make_settings(parts);
  CHECK(parameter(from_parts, "dbname") == "heartbeat_db");
  CHECK(parameter(from_parts, "application_name") == "hbagent");
  CHECK(from_parts.connection_string().find("password='it\\'s \\\\ here'") != std::string::npos);

  parts.uri = config.uri;
  CHECK_THROWS_AS(make_settings(parts), hb::Failed);
}

TEST_CASE("no message shows the password") {
  Config config;
  config.uri = "postgresql://edge:s3cret%zz@db.local/heartbeat_db";
  CHECK(message_of([&] { make_settings(config); }).find("s3cret") == std::string::npos);
  config.uri = "postgresql://edge:s3cret@[::1/heartbeat_db";
  CHECK(message_of([&] { make_settings(config); }).find("s3cret") == std::string::npos);
  config.uri = "password=s3cret";
  CHECK(make_settings(config).clean("one s3cret\ntwo\n") == "one ***; two");
}

TEST_CASE("SQLSTATEs have the remedies of the table") {
  const std::map<std::string, Remedy> expected{
      {"", Remedy::Reconnect},          {"08006", Remedy::Reconnect},     {"57P01", Remedy::Reconnect},
      {"57P03", Remedy::Reconnect},     {"25006", Remedy::Reconnect},     {"40001", Remedy::Retry},
      {"40P01", Remedy::Retry},         {"55P03", Remedy::Retry},         {"57014", Remedy::Retry},
      {"53100", Remedy::Resources},     {"53300", Remedy::Resources},     {"58030", Remedy::Resources},
      {"23505", Remedy::Redo},          {"22008", Remedy::RejectRow},     {"22021", Remedy::RejectRow},
      {"23502", Remedy::RejectRow},     {"23514", Remedy::RejectRow},     {"22P03", Remedy::Bug},
      {"22P04", Remedy::Bug},           {"08P01", Remedy::Bug},           {"28P01", Remedy::Configuration},
      {"3D000", Remedy::Configuration}, {"42501", Remedy::Configuration}, {"42P01", Remedy::Configuration},
      {"99999", Remedy::Retry}};
  for (const auto& [state, remedy] : expected) {
    INFO(state);
    CHECK(remedy_for(state) == remedy);
  }
  CHECK_THROWS_AS(raise(ServerError("57P01", "x"), "y"), hb::Reopen);
  CHECK_THROWS_AS(raise(ServerError("40P01", "x"), "y"), hb::Retry);
  CHECK_THROWS_AS(raise(ServerError("28P01", "x"), "y"), hb::Failed);
  CHECK(message_of([] { raise(ServerError("53100", "disk full"), "PostgreSQL at h/d"); }) ==
        "PostgreSQL at h/d: disk full (SQLSTATE 53100); the server lacks resources, somebody must look");
}

TEST_CASE("the bad row's line is read in any language of the server") {
  CHECK(copy_line("COPY heartbeats, line 17, column time", "heartbeats") == 17U);
  CHECK(copy_line("PL/pgSQL function f() line 3 at RAISE\nCOPY heartbeats, line 5", "heartbeats") == 5U);
  CHECK(copy_line("COPY heartbeats, Zeile 2501", "heartbeats") == 2501U);
  CHECK_FALSE(copy_line("SQL statement \"COPY x\"", "heartbeats"));
  CHECK_FALSE(copy_line("COPY heartbeats\nline 4", "heartbeats"));
  CHECK_FALSE(copy_line("", "heartbeats"));
}

TEST_CASE("the SQLSTATE of a refused login is the last attempt's") {
  const std::string refused =
      "connection to server at \"localhost\" (::1), port 1 failed: Connection refused\n"
      "\tIs the server running on that host and accepting TCP/IP connections?\n";
  const std::string login =
      "connection to server at \"localhost\" (127.0.0.1), port 1 failed: FATAL:  28P01: password "
      "authentication failed for user \"x\"\nLOCATION:  auth_failed, auth.c:326\n";
  CHECK(sqlstate_of_login(refused + login) == "28P01");
  CHECK(sqlstate_of_login(login + refused).empty());
}

TEST_CASE("times are clamped to what the server can hold") {
  CHECK(to_server_time(946'684'800'000'000) == 0);
  CHECK(from_server_time(to_server_time(1'795'000'000'123'456)) == 1'795'000'000'123'456);
  // INT64_MAX and INT64_MIN would be infinity and -infinity.
  CHECK(to_server_time(INT64_MAX) < INT64_MAX);
  CHECK(to_server_time(INT64_MIN) == -211'813'488'000'000'000);
}

TEST_CASE("a COPY row has the documented bytes") {
  std::string out;
  append_copy_row(out, make_reading("ab", 946'684'800'000'001, 72, HB_FLAG_HIGH, 946'684'800'000'002));
  CHECK(out == std::string("\0\5"
                           "\0\0\0\2"
                           "ab"
                           "\0\0\0\x8\0\0\0\0\0\0\0\1"
                           "\0\0\0\4\0\0\0\x48"
                           "\0\0\0\2\0\2"
                           "\0\0\0\x8\0\0\0\0\0\0\0\2",
                           2 + 4 + 2 + 12 + 8 + 6 + 12));
}

TEST_CASE("text is valid exactly where every code point has its shortest form") {
  // Reference: the set of all valid encodings of one code point, made the obvious way.
  const auto encode = [](unsigned point) {
    std::string out;
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xc0 | (point >> 6));
      tail(0);
    } else if (point < 0x10000) {
      out += static_cast<char>(0xe0 | (point >> 12));
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xf0 | (point >> 18));
      tail(12), tail(6), tail(0);
    }
    return out;
  };
  std::set<std::string> valid;
  for (unsigned point = 1; point < 0x110000; ++point) {
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    const auto text = encode(point);
    if (valid_text(text) == surrogate) FAIL("code point " << point);
    if (!surrogate) valid.insert(text);
  }
  // Every text of one, two and three bytes, against: is it a sequence of valid ones?
  const auto is_sequence = [&](const std::string& text) {
    std::vector<bool> reach(text.size() + 1);
    reach[0] = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (std::size_t n = 1; reach[i] && n <= 4 && i + n <= text.size(); ++n) {
        if (valid.count(text.substr(i, n)) != 0) reach[i + n] = true;
      }
    }
    return static_cast<bool>(reach[text.size()]);
  };
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (auto n = 1 + random() % 5; n > 0; --n) {
      static constexpr unsigned char kEdges[] = {0,    1,    0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                                 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
                                                 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
      text += static_cast<char>(random() % 4 == 0 ? random() : kEdges[random() % sizeof kEdges]);
    }
    if (valid_text(text) != is_sequence(text)) FAIL("bytes differ in case " << i);
  }
}

TEST_CASE("watermarks never fall, are bounded, and forget the least used half") {
  Watermarks marks(1000);
  std::map<std::uint64_t, std::int64_t> reference;
  std::mt19937_64 random(2);
  for (int i = 0; i < 100'000; ++i) {
    const auto customer = 1 + random() % 2000;
    const auto time = static_cast<std::int64_t>(random() % 1000);
    auto& mark = reference.try_emplace(customer, INT64_MIN).first->second;
    if (const auto known = marks.find(customer)) {
      REQUIRE(*known <= mark);  // forgetting may lower it, nothing raises it
    }
    marks.raise(customer, time);
    mark = std::max(mark, time);
    REQUIRE(marks.find(customer));
    REQUIRE(*marks.find(customer) >= time);
    REQUIRE(marks.size() <= 1000);
  }
  // One that is in use stays, whatever else comes by.
  marks.raise(99'999, 7);
  for (std::uint64_t other = 100'000; other < 110'000; ++other) {
    marks.raise(other, 1);
    REQUIRE(marks.find(99'999) == 7);
  }
  Watermarks zero(10);
  zero.raise(0, 5);
  CHECK(zero.find(0) == 5);
}

TEST_CASE("rows are sorted as the primary key is") {
  std::mt19937 random(3);
  std::vector<hb::Reading> readings;
  for (int i = 0; i < 5000; ++i) {
    std::string id(random() % 3 == 0 ? 14 + random() % 5 : 1 + random() % 3, 'x');
    for (auto& c : id) c = "ab\xc3"[random() % (random() % 2 == 0 ? 1 : 3)];
    readings.push_back(make_reading(id, static_cast<std::int64_t>(random() % 5) - 2, 60));
    // What lies behind the NUL is nobody's business.
    readings.back().customer_id[41] = static_cast<char>(random());
    readings.back().customer_id[41] = '\0';
    readings.back().customer_id[id.size() + 2] = 'z';
  }
  std::vector<std::uint32_t> rows(readings.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
  auto expected = rows;
  std::stable_sort(expected.begin(), expected.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(std::string(readings[a].customer_id), readings[a].time_us) <
           std::pair(std::string(readings[b].customer_id), readings[b].time_us);
  });
  sort_by_key(readings, rows);
  CHECK(rows == expected);
}

TEST_CASE("the latest reading of each customer is kept, however many come") {
  Latest latest;
  std::map<std::string, std::int64_t> reference;
  std::mt19937 random(4);
  for (int i = 0; i < 100'000; ++i) {
    const auto id = "c" + std::to_string(random() % 3000);
    const auto time = static_cast<std::int64_t>(random());
    auto& newest = reference.try_emplace(id, time).first->second;
    newest = std::max(newest, time);
    latest.add(make_reading(id, time, 60));
    REQUIRE(latest.size() < 8192 + 1);
  }
  std::map<std::string, std::int64_t> kept;
  for (const auto& reading : latest.sorted()) kept[reading.customer_id] = reading.time_us;
  CHECK(kept == reference);
  CHECK(latest.size() == reference.size());
}

TEST_CASE("missing partitions are whole intervals, cut off at their neighbours") {
  const Coverage coverage({{10 * kDay, 11 * kDay}, {12 * kDay + kDay / 2, 20 * kDay}}, false);
  CHECK(coverage.covers(10 * kDay));
  CHECK_FALSE(coverage.covers(11 * kDay));
  CHECK_FALSE(coverage.covers(20 * kDay));
  const std::vector<std::int64_t> times{12 * kDay + 5, 12 * kDay + 9, 10 * kDay + 1, -kDay / 2, 20 * kDay};
  CHECK(coverage.missing(times, kDay) ==
        std::vector<TimeRange>{{-kDay, 0}, {12 * kDay, 12 * kDay + kDay / 2}, {20 * kDay, 21 * kDay}});
  CHECK(Coverage({}, true).missing(times, kDay).empty());
  CHECK(Coverage({{INT64_MIN, 0}}, false).missing(times, 30 * kDay) == std::vector<TimeRange>{{0, 30 * kDay}});
}

TEST_CASE("random partitions of changing intervals cover every time once") {
  std::mt19937 random(5);
  std::vector<TimeRange> ranges;
  for (int step = 0; step < 300; ++step) {
    const std::int64_t interval = std::vector<std::int64_t>{7, 24, 60}[random() % 3];
    std::vector<std::int64_t> times;
    for (auto n = random() % 4; n > 0; --n) times.push_back(static_cast<std::int64_t>(random() % 4000) - 2000);
    for (const auto& range : Coverage(ranges, false).missing(times, interval)) ranges.push_back(range);
    const Coverage now(ranges, false);
    for (const auto time : times) REQUIRE(now.covers(time));
  }
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    REQUIRE(ranges[i].from < ranges[i].to);
    if (i > 0) REQUIRE(ranges[i - 1].to <= ranges[i].from);
  }
}

TEST_CASE("partitions are named by where they begin") {
  CHECK(partition_name(1'795'046'400'000'000) == "heartbeats_p20261119");
  CHECK(partition_name(1'795'046'400'000'000 + 36'000'000'000) == "heartbeats_p20261119_100000");
  CHECK(partition_name(-1) == "heartbeats_p19691231_235959");
  CHECK(timestamp_text(1'795'046'400'123'456) == "2026-11-19 00:00:00.123456+00");
}

TEST_CASE("silence is told once, after 5 s or a quarter of the timeout, and ends when all have heard") {
  using namespace std::chrono_literals;
  hb::testing::TestHost host;
  CHECK(Silence(host.host(), "S", 30s).notice() == 5s);
  CHECK(Silence(host.host(), "S", 300ms).notice() == 75ms);
  Silence silence(host.host(), "S", 8s);
  const Silence::Clock::time_point start{};
  Silence::Wait a(&silence, start);
  Silence::Wait b(&silence, start + 1s);
  a.still_waiting(start + 100s);
  CHECK_FALSE(host.health());  // nothing is written
  Silence::Write write(silence);
  b.heard(start + 100s);
  b.still_waiting(start + 101999ms);
  CHECK_FALSE(host.health());
  b.still_waiting(start + 102s);
  CHECK(host.health() ==
        std::pair{false,
                  std::string("S: no answer for 2 s, still waiting: it is frozen, overloaded, or waits for a lock")});
  a.still_waiting(start + 102s);
  b.heard(start + 103s);
  CHECK_FALSE(host.health()->first);
  a.heard(start + 103s);
  CHECK(host.health()->first);
  a.still_waiting(start + 104999ms);
  CHECK(host.health()->first);
  a.still_waiting(start + 105s);
  CHECK_FALSE(host.health()->first);
  a.heard(start + 106s);
}

TEST_CASE("after a wait that was given up only a write that succeeds says that the server is up") {
  using namespace std::chrono_literals;
  hb::testing::TestHost host;
  Silence silence(host.host(), "S", 8s);
  const Silence::Clock::time_point start{};
  Silence::Wait other(&silence, start);
  {
    const Silence::Write write(silence);
    {
      Silence::Wait lost(&silence, start);
      lost.still_waiting(start + 3s);
      other.still_waiting(start + 3s);
    }
    other.heard(start + 4s);
    CHECK_FALSE(host.health()->first);
  }
  CHECK_FALSE(host.health()->first);
  {
    Silence::Write write(silence);
    other.still_waiting(start + 10s);
    write.done();
  }
  CHECK(host.health()->first);
}
