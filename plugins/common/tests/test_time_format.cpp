#include <hbcommon/time_format.hpp>
#include <hbcommon/time_zone.hpp>

#include <cstdlib>
#include <ctime>
#include <random>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"

using namespace hb::codec;

namespace {

std::int64_t utc(std::string_view text) {
  std::int64_t time = 0;
  INFO(text);
  REQUIRE(parse_time(text, time).ok());
  return time;
}

std::int64_t civil(std::string_view text) {
  return utc(std::string(text) + "Z");
}

Outcome read(const std::string& pattern, std::string_view text, std::int64_t& time, const std::string& zone = "",
             bool date_only = false) {
  TimeMapping mapping;
  mapping.format = TimeFormat::strftime;
  mapping.pattern = pattern;
  mapping.naive_zone = zone;
  mapping.allow_date_only = date_only;
  return TimeReader(mapping).read(text, false, time);
}

std::int64_t read_ok(const std::string& pattern, std::string_view text, const std::string& zone = "") {
  std::int64_t time = 0;
  const Outcome outcome = read(pattern, text, time, zone);
  INFO(pattern << " on " << text << ": " << outcome.detail);
  REQUIRE(outcome.ok());
  return time;
}

// Sets TZ for the C library, the reference.
class WithZone {
 public:
  explicit WithZone(const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
  }
  ~WithZone() {
    unsetenv("TZ");
    tzset();
  }
  WithZone(const WithZone&) = delete;
  WithZone& operator=(const WithZone&) = delete;
};

}  // namespace

TEST_CASE("patterns read what devices write") {
  CHECK(read_ok("%Y-%m-%d %H:%M:%S %z", "2021-03-16 00:00:00 +0100") == utc("2021-03-15T23:00:00Z"));
  CHECK(read_ok("%FT%T.%f%z", "2026-01-15T11:59:58.1234567+00:00") == utc("2026-01-15T11:59:58.123456Z"));
  CHECK(read_ok("%d/%m/%y %I:%M %p", "5/3/26 12:07 am", "UTC") == utc("2026-03-05T00:07:00Z"));
  CHECK(read_ok("%a, %d %b %Y %T %Z", "Thu, 15 Jan 2026 11:59:58 GMT") == utc("2026-01-15T11:59:58Z"));
  CHECK(read_ok("%B %e %Y %R", "DECEMBER  1 2025 09:05", "UTC") == utc("2025-12-01T09:05:00Z"));
  CHECK(read_ok("%Y%j%H%M%S%z", "2024366235959Z") == utc("2024-12-31T23:59:59Z"));
  CHECK(read_ok("%s", "1700000000.5") == utc("2023-11-14T22:13:20.5Z"));
  CHECK(read_ok("100%% %D %T", "100% 12/31/68 00:00:00", "UTC") == utc("2068-12-31T00:00:00Z"));
  CHECK(read_ok("%Y-%m-%d %H:%M:%S", "2017-01-04 12:00:00", "America/New_York") == utc("2017-01-04T17:00:00Z"));
}

TEST_CASE("what does not match its pattern is a bad time") {
  std::int64_t time = 77;
  const std::pair<const char*, const char*> wrong[] = {
      {"%Y-%m-%d %H:%M:%S %z", "2021-03-16 00:00:00"},
      {"%Y-%m-%d %H:%M:%S %z", "2021-03-16 00:00:00 CET"},
      {"%Y-%m-%d %H:%M:%S %z", "2021-03-16 24:00:00 Z"},
      {"%Y-%m-%d %H:%M:%S %z", "2021-02-29 00:00:00 Z"},
      {"%Y-%m-%d %H:%M:%S %z", "2021-03-16 00:00:00 Z!"},
      {"%Y-%m-%d %H:%M:%S %z", "21-03-16 00:00:00 Z"},
      {"%Y-%m-%d %H:%M:%S", "2021-03-16 00:00:00"},
      {"%Y %j %H %z", "2023 366 00 Z"},
      {"%Y-%m-%d", "2021-03-16"},
      {"%d %b %Y %H %z", "1 Foo 2021 00 Z"},
      {"%Y-%m-%d %I %p %z", "2021-03-16 13 pm Z"},
      {"%Y-%m-%d %H:%M:%S %z", ""},
      {"%Y-%m-%d %H:%M:%S %z", "2021-03-16 00:00:60 Z"},
      {"%s", "99999999999999999999"},
  };
  for (const auto& [pattern, text] : wrong) {
    INFO(pattern << " on " << text);
    CHECK(read(pattern, text, time).reason == Reason::bad_time);
  }
  CHECK(time == 77);
  CHECK(read("%Y-%m-%d", "2021-03-16", time, "", true).ok());
  CHECK(time == utc("2021-03-16T00:00:00Z"));
}

TEST_CASE("patterns that cannot give a time are refused when configured") {
  for (const char* pattern : {"", "%H:%M", "%Y-%m", "%Q %Y-%m-%d", "%Y-%m-%d %I", "%Y-%m-%d %p", "%"}) {
    INFO(pattern);
    CHECK_THROWS_AS(TimePattern(pattern), std::invalid_argument);
  }
}

TEST_CASE("random times written by strftime are read back") {
  std::mt19937_64 random(17);
  for (const char* pattern : {"%Y-%m-%d %H:%M:%S %z", "%a %b %e %T %Y %z", "%d.%m.%Y %I:%M:%S %p %z", "%Y %j %T %z",
                              "%A, %d %B %Y, %H-%M-%S %z", "%s"}) {
    for (int i = 0; i < 5'000; ++i) {
      const auto seconds = static_cast<std::time_t>(random() % 4'000'000'000u);
      std::tm parts{};
      gmtime_r(&seconds, &parts);
      char text[100];
      // %s of the C library goes by the local zone; the test runs in UTC unless a WithZone is alive.
      REQUIRE(std::strftime(text, sizeof text, pattern, &parts) > 0);
      if (read_ok(pattern, text) != seconds * kMicrosPerSecond) FAIL(pattern << " on " << text);
    }
  }
}

TEST_CASE("times without zone count in the configured one") {
  const auto berlin = TimeZone::load("Europe/Berlin");
  CHECK(berlin->to_utc(civil("2025-01-15T12:00:00")) == utc("2025-01-15T11:00:00Z"));
  CHECK(berlin->to_utc(civil("2025-07-15T12:00:00")) == utc("2025-07-15T10:00:00Z"));
  // Skipped: 02:30 does not exist; it comes out as 03:30 summer time.
  CHECK(berlin->to_utc(civil("2025-03-30T01:59:59")) == utc("2025-03-30T00:59:59Z"));
  CHECK(berlin->to_utc(civil("2025-03-30T02:30:00")) == utc("2025-03-30T01:30:00Z"));
  CHECK(berlin->to_utc(civil("2025-03-30T03:00:00")) == utc("2025-03-30T01:00:00Z"));
  // Twice: the first of the two.
  CHECK(berlin->to_utc(civil("2025-10-26T02:30:00")) == utc("2025-10-26T00:30:00Z"));
  CHECK(berlin->to_utc(civil("2025-10-26T03:00:00")) == utc("2025-10-26T02:00:00Z"));
  // Behind the file's table, by its rule.
  CHECK(berlin->to_utc(civil("2199-07-15T12:00:00")) == utc("2199-07-15T10:00:00Z"));
  CHECK(TimeZone::load("UTC")->to_utc(5) == 5);
}

TEST_CASE("a zone that does not exist is refused") {
  for (const char* name : {"Mars/Olympus", "", "../passwd", "/etc/passwd", "Europe", "tzdata.zi"}) {
    INFO(name);
    CHECK_THROWS_AS(TimeZone::load(name), std::runtime_error);
  }
}

TEST_CASE("local times of many zones agree with the C library") {
  std::mt19937_64 random(8536);
  for (const char* name :
       {"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns",
        "Asia/Kathmandu", "Africa/Casablanca", "Europe/Dublin", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran",
        "Antarctica/Troll", "Pacific/Chatham", "America/Havana", "Asia/Gaza", "Etc/GMT+12", "Pacific/Kiritimati"}) {
    const auto zone = TimeZone::load(name);
    const WithZone reference(name);
    for (int i = 0; i < 20'000; ++i) {
      // 1970 to 2200, by the table and by the rule.
      const auto seconds = static_cast<std::time_t>(random() % 7'258'118'400u);
      std::tm parts{};
      localtime_r(&seconds, &parts);
      std::tm copy = parts;
      const std::int64_t local = std::int64_t{timegm(&copy)} * kMicrosPerSecond;
      const std::int64_t found = zone->to_utc(local) / kMicrosPerSecond;
      if (found == seconds) continue;
      // The only reason to differ: the local time occurs twice, and the earlier one counts.
      const auto earlier = static_cast<std::time_t>(found);
      std::tm same{};
      localtime_r(&earlier, &same);
      copy = same;
      if (earlier > seconds || std::int64_t{timegm(&copy)} * kMicrosPerSecond != local) FAIL(name << ' ' << seconds);
    }
  }
}
