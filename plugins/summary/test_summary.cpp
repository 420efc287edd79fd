#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <hbagent/testing.hpp>
#include <string>

#include "statistics.hpp"
#include "summary_sink.hpp"
#include "support/catch.hpp"

using namespace hb::summary;
using namespace std::chrono_literals;
using hb::testing::make_reading;
using hb::testing::TestBatch;
using hb::testing::TestHost;

namespace {

// Reads until `end` has come.
std::string read_until(int fd, const std::string& end) {
  std::string text;
  char byte = 0;
  while (text.find(end) == std::string::npos && ::read(fd, &byte, 1) == 1) text += byte;
  return text;
}

SummarySink::Config quick() {
  SummarySink::Config config;
  config.interval = 100ms;
  return config;
}

}  // namespace

TEST_CASE("a look shows the readings since the last one, and counts since the start") {
  const auto start = Clock::now();
  Statistics statistics(start, 60s);
  const std::vector<hb::Reading> first{make_reading("a", 1, 60), make_reading("b", 1, 100, HB_FLAG_HIGH),
                                       make_reading("a", 2, 41, HB_FLAG_LOW | HB_FLAG_JUMP)};
  statistics.add(first, start + 1s);
  const Summary one = statistics.look(start + 2s);
  CHECK(one.total == 3);
  CHECK(one.rate == Approx(1.5));
  CHECK(one.average == Approx(67));
  CHECK(one.minimum == 41);
  CHECK(one.maximum == 100);
  CHECK(one.customers == 2);
  CHECK(one.low == 1);
  CHECK(one.high == 1);
  CHECK(one.jump == 1);

  const std::vector<hb::Reading> second{make_reading("a", 3, 80)};
  statistics.add(second, start + 62s);
  const Summary two = statistics.look(start + 62s);
  CHECK(two.total == 4);
  CHECK(two.count == 1);
  CHECK(two.minimum == 80);
  CHECK(two.customers == 1);  // b was last seen 61 s ago
  CHECK(two.high == 1);

  const Summary none = statistics.look(start + 63s);
  CHECK(none.count == 0);
  CHECK(none.rate == 0);
  const Summary all = statistics.all(start + 100s);
  CHECK(all.minimum == 41);
  CHECK(all.maximum == 100);
  CHECK(all.average == Approx(70.25));
  CHECK(all.rate == Approx(0.04));
}

TEST_CASE("customers are told apart by every byte of their ids, and counting them is bounded") {
  const auto start = Clock::now();
  Statistics statistics(start, 60s);
  std::vector<hb::Reading> readings;
  for (int i = 0; i < 1000; ++i) {
    std::string id(41, 'x');
    id.replace(static_cast<std::size_t>(i) % 38, 3, std::to_string(1000 + i).substr(1));
    readings.push_back(make_reading(id, 1, 60));
  }
  statistics.add(readings, start);
  statistics.add(readings, start);
  CHECK(statistics.look(start).customers == 1000);

  for (std::size_t i = 0; i < Statistics::kMaxCustomers; ++i) {
    const std::vector<hb::Reading> one{make_reading("c" + std::to_string(i), 1, 60)};
    statistics.add(one, start);
  }
  const Summary many = statistics.look(start);
  CHECK(many.customers == Statistics::kMaxCustomers);
  CHECK(many.more_customers);
}

TEST_CASE("the line reads well") {
  Summary summary;
  summary.total = 1'234'567;
  summary.rate = 10'011.6;
  summary.count = 10'012;
  summary.average = 72.43;
  summary.minimum = 41;
  summary.maximum = 178;
  summary.customers = 200;
  summary.high = 1000;
  CHECK(text_of(summary) ==
        "10,012 readings/s | 1,234,567 in all | bpm average 72.4, lowest 41, highest 178 | 200 customers | "
        "alerts: 0 low, 1,000 high, 0 jump");
  CHECK(text_of({}) == "0 readings/s | 0 in all | no heart rate | 0 customers | alerts: 0 low, 0 high, 0 jump");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(123'456) == "123,456");
}

TEST_CASE("through a pipe there is a line an interval, also when nothing comes, and the totals at the end") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  TestHost host;
  SummarySink sink(quick(), host.host(), ends[1]);
  sink.open();
  CHECK(read_until(ends[0], "\n").find("Z 0 readings/s | 0 in all | no heart rate") != std::string::npos);
  TestBatch batch({make_reading("a", 1, 60), make_reading("b", 1, 70)});
  sink.write(batch.sink_batch());
  const std::string text = read_until(ends[0], "alerts: 0 low, 0 high, 0 jump\n");
  CHECK(text.find("2 in all | bpm average 65.0, lowest 60, highest 70 | 2 customers") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  sink.close();
  ::close(ends[1]);
  CHECK(read_until(ends[0], "in all: ").find("in all: ") != std::string::npos);
  CHECK(read_until(ends[0], "\n").find("readings/s | 2 in all | bpm average 65.0") != std::string::npos);
  ::close(ends[0]);
}

TEST_CASE("on a terminal the line is refreshed in place and never wraps") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const int screen = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  REQUIRE(screen >= 0);
  winsize size{};
  size.ws_col = 40;
  size.ws_row = 10;
  REQUIRE(::ioctl(screen, TIOCSWINSZ, &size) == 0);
  TestHost host;
  SummarySink sink(quick(), host.host(), screen);
  sink.open();
  const std::string clear = "\r\x1b[2K";
  CHECK(read_until(terminal, clear) == clear);
  const std::string line = read_until(terminal, clear);
  CHECK(line == text_of({}).substr(0, 39) + clear);
  sink.close();
  ::close(screen);
  ::close(terminal);
}

TEST_CASE("a reader that has gone away or does not read never holds the stream up") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  TestHost host;
  SummarySink sink(quick(), host.host(), ends[1]);
  SECTION("gone") {
    sink.open();
    read_until(ends[0], "\n");
    ::close(ends[0]);
    while (host.logs().empty()) host.host().wait(1ms);
    CHECK(host.logs()[0].second.find("not shown any more") != std::string::npos);
  }
  SECTION("not reading") {
    REQUIRE(::fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    const std::string filling(65536, 'x');
    while (::write(ends[1], filling.data(), filling.size()) > 0) {
    }
    REQUIRE(::fcntl(ends[1], F_SETFL, 0) == 0);
    sink.open();
  }
  TestBatch batch({make_reading("a", 1, 60)});
  sink.write(batch.sink_batch());
  sink.close();
  CHECK(batch.verdict(0).verdict == 0);
}
