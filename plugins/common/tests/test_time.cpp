#include <hbcommon/time.hpp>

#include <ctime>
#include <limits>
#include <random>
#include <string>

#include "support/catch.hpp"

using namespace hb::codec;

namespace {

std::int64_t parsed(std::string_view text) {
  std::int64_t time = -1;
  const Outcome outcome = parse_time(text, time);
  INFO(text << ": " << outcome.detail);
  REQUIRE(outcome.ok());
  return time;
}

Reason refused(std::string_view text) {
  std::int64_t time = 77;
  const Outcome outcome = parse_time(text, time);
  INFO(text);
  CHECK(time == 77);
  CHECK(!outcome.ok());
  CHECK(std::string(outcome.detail) != "");
  return outcome.reason;
}

std::string formatted(std::int64_t time_us) {
  std::string out(kTimeTextSize, '?');
  format_time(time_us, out.data());
  return out;
}

// The obvious way: the C library's calendar.
std::int64_t by_timegm(int year, int month, int day, int hour, int minute, int second) {
  std::tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  parts.tm_sec = second;
  return std::int64_t{timegm(&parts)} * 1'000'000;
}

}  // namespace

TEST_CASE("a time parses in every accepted form") {
  constexpr std::int64_t kTime = 1'795'341'600'000'000;  // 2026-11-22T10:00:00Z
  CHECK(parsed("2026-11-22T10:00:00Z") == kTime);
  CHECK(parsed("2026-11-22t10:00:00z") == kTime);
  CHECK(parsed("2026-11-22 10:00:00+00:00") == kTime);
  CHECK(parsed("2026-11-22T10:00:00-00:00") == kTime);
  CHECK(parsed("2026-11-22T11:00:00+0100") == kTime);
  CHECK(parsed("2026-11-22T11:00:00+01") == kTime);
  CHECK(parsed("2026-11-22T15:45:00+05:45") == kTime);
  CHECK(parsed("2026-11-21T23:30:00-10:30") == kTime);
  CHECK(parsed("2026-11-22T10:00:00.123456Z") == kTime + 123'456);
  CHECK(parsed("2026-11-22T10:00:00,5Z") == kTime + 500'000);
  CHECK(parsed("2026-11-22T10:00:00.1234569999999Z") == kTime + 123'456);
  CHECK(parsed("2026-11-21T24:00:00Z") == kTime - 36'000'000'000);
}

TEST_CASE("what is not a time is refused, and nothing is guessed") {
  for (const char* text : {"",
                           "...",
                           "bad-ts",
                           "2026-11-22",
                           "2026-11-22T10:00:00",
                           "2026-11-22T10:00:00.5",
                           "2026-11-22T10:00Z",
                           "2026-11-22T10:00:00.Z",
                           "2026-11-22T10:00:00 Z",
                           " 2026-11-22T10:00:00Z",
                           "2026-11-22T10:00:00Z ",
                           "2026-11-22T10:00:00ZZ",
                           "2026-11-22T10:00:00+1:00",
                           "2026-11-22T10:00:00+01:60",
                           "2026-11-22T10:00:00+24:00",
                           "2026-11-22T10:00:00+",
                           "2026-11-22T10:00:00+01:0",
                           "2026-11-22T10:00:00+01-00",
                           "2026-1-22T10:00:00Z",
                           "2026-13-01T10:00:00Z",
                           "2026-00-01T10:00:00Z",
                           "2026-02-29T10:00:00Z",
                           "2100-02-29T10:00:00Z",
                           "2026-04-31T10:00:00Z",
                           "2026-11-00T10:00:00Z",
                           "2026-11-22T24:00:01Z",
                           "2026-11-22T24:00:00.0000001Z",
                           "2026-11-22T25:00:00Z",
                           "2026-11-22T10:60:00Z",
                           "2026-11-22T10:00:61Z",
                           "2026-11-22X10:00:00Z",
                           "20261122T100000Z",
                           "+002026-11-22T10:00:00Z",
                           "-026-11-22T10:00:00Z",
                           "2026-11-22T10:00:0\xd9\xa0Z",
                           "1768478398",
                           "2026-W47-7T10:00:00Z",
                           "2026-11-22T10:00:00\0Z"}) {
    CHECK(refused(text) == Reason::bad_time);
  }
  CHECK(refused("0000-01-01T00:00:00+00:01") == Reason::time_implausible);
  CHECK(refused("9999-12-31T24:00:00Z") == Reason::time_implausible);
}

TEST_CASE("a leap second is read only where there can be one") {
  CHECK(parsed("2016-12-31T23:59:60Z") == parsed("2017-01-01T00:00:00Z"));
  CHECK(parsed("2016-12-31T23:59:60.5Z") == parsed("2017-01-01T00:00:00.5Z"));
  CHECK(parsed("2017-01-01T05:29:60+05:30") == parsed("2017-01-01T00:00:00Z"));
  CHECK(refused("2016-12-30T23:59:60Z") == Reason::bad_time);
  CHECK(refused("2016-12-31T23:59:60+01:00") == Reason::bad_time);
  CHECK(refused("2016-12-31T23:58:60Z") == Reason::bad_time);
}

TEST_CASE("the whole calendar agrees with timegm, day by day, both ways") {
  constexpr std::int64_t kFirst = kMinTimeUs / kMicrosPerDay;
  constexpr std::int64_t kLast = kMaxTimeUs / kMicrosPerDay;
  std::uint64_t wrong = 0;
  for (std::int64_t day = kFirst; day <= kLast; ++day) {
    const std::time_t seconds = day * 86'400 + 86'399;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char expected[64];
    std::snprintf(expected, sizeof expected, "%04d-%02d-%02dT23:59:59.000000Z", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday);
    std::int64_t back = 0;
    const std::string text = formatted(std::int64_t{seconds} * 1'000'000);
    if (text != expected || !parse_time(text, back).ok() || back != std::int64_t{seconds} * 1'000'000) ++wrong;
    if (days_from_civil(parts.tm_year + 1900, static_cast<unsigned>(parts.tm_mon + 1),
                        static_cast<unsigned>(parts.tm_mday)) != day) {
      ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("random times with random offsets agree with timegm") {
  std::mt19937_64 random(20261122);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int i = 0; i < 200'000; ++i) {
    const int year = pick(1, 9998), month = pick(1, 12), day = pick(1, 28);
    const int hour = pick(0, 23), minute = pick(0, 59), second = pick(0, 59);
    const int offset = pick(-23 * 60 - 59, 23 * 60 + 59);
    const int digits = pick(0, 9);
    char text[64];
    int size =
        std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute, second);
    std::int64_t micros = 0;
    for (int d = 0; d < digits; ++d) {
      if (d == 0) text[size++] = '.';
      const int digit = pick(0, 9);
      text[size++] = static_cast<char>('0' + digit);
      if (d < 6) micros = micros * 10 + digit;
    }
    for (int d = digits; d < 6; ++d) micros *= 10;
    size += std::snprintf(text + size, sizeof text - static_cast<std::size_t>(size), "%c%02d:%02d",
                          offset < 0 ? '-' : '+', std::abs(offset) / 60, std::abs(offset) % 60);
    const std::int64_t expected =
        by_timegm(year, month, day, hour, minute, second) - std::int64_t{offset} * 60'000'000 + micros;
    std::int64_t time = 0;
    if (!parse_time({text, static_cast<std::size_t>(size)}, time).ok() || time != expected) {
      FAIL(text << " gave " << time << ", not " << expected);
    }
    if (parsed(formatted(expected)) != expected) FAIL(text << " does not survive formatting");
  }
}

TEST_CASE("every single-byte change of a time parses to a valid time or is refused") {
  const std::string good = "2026-11-22T10:00:00.123456+01:30";
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = good;
      text[at] = static_cast<char>(byte);
      std::int64_t time = 0;
      if (!parse_time(text, time).ok()) continue;
      INFO(text);
      CHECK(time >= kMinTimeUs);
      CHECK(time <= kMaxTimeUs);
    }
    std::int64_t time = 0;
    (void)parse_time(good.substr(0, at), time);
  }
}

TEST_CASE("epoch numbers convert exactly and are checked for overflow") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  const auto from = [](std::int64_t value, EpochUnit unit) {
    std::int64_t time = 0;
    REQUIRE(time_from_epoch(value, unit, time).ok());
    return time;
  };
  CHECK(from(1'622'548'800, EpochUnit::seconds) == 1'622'548'800'000'000);
  CHECK(from(1'746'998'465'128, EpochUnit::milliseconds) == 1'746'998'465'128'000);
  CHECK(from(1'746'998'465'128'824, EpochUnit::microseconds) == 1'746'998'465'128'824);
  CHECK(from(1'746'998'465'128'824'999, EpochUnit::nanoseconds) == 1'746'998'465'128'824);
  CHECK(from(-1, EpochUnit::nanoseconds) == -1);
  CHECK(from(kMost, EpochUnit::nanoseconds) == kMost / 1'000);

  std::int64_t time = 77;
  for (const EpochUnit unit : {EpochUnit::seconds, EpochUnit::milliseconds, EpochUnit::microseconds}) {
    CHECK(time_from_epoch(kMost, unit, time).reason == Reason::time_implausible);
    CHECK(time_from_epoch(kLeast, unit, time).reason == Reason::time_implausible);
  }
  CHECK(time_from_epoch(1'768'478'398'000, EpochUnit::seconds, time).reason == Reason::time_implausible);
  CHECK(time == 77);

  CHECK(epoch_from_time(-1, EpochUnit::seconds) == -1);
  CHECK(epoch_from_time(1'999'999, EpochUnit::seconds) == 1);
  CHECK(epoch_from_time(1'999'999, EpochUnit::milliseconds) == 1'999);
  CHECK(epoch_from_time(kMaxTimeUs, EpochUnit::nanoseconds) == kMost);
  CHECK(epoch_from_time(kMinTimeUs, EpochUnit::nanoseconds) == kLeast);
}

TEST_CASE("decimal epoch numbers lose nothing above a microsecond") {
  const auto from = [](std::string_view text, EpochUnit unit) {
    Decimal number;
    std::int64_t time = 0;
    REQUIRE(parse_number(text, number).ok());
    REQUIRE(time_from_epoch(number, unit, time).ok());
    return time;
  };
  CHECK(from("1746998465.128824", EpochUnit::seconds) == 1'746'998'465'128'824);
  CHECK(from("1777690001.456", EpochUnit::seconds) == 1'777'690'001'456'000);
  CHECK(from("1.7e9", EpochUnit::seconds) == 1'700'000'000'000'000);
  CHECK(from("1746998465128.8249", EpochUnit::milliseconds) == 1'746'998'465'128'824);
  CHECK(from("-0.0000001", EpochUnit::seconds) == -1);
  Decimal huge;
  std::int64_t time = 0;
  REQUIRE(parse_number("1e400", huge).ok());
  CHECK(time_from_epoch(huge, EpochUnit::seconds, time).reason == Reason::time_implausible);
}
