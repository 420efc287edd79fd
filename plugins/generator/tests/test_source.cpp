// The source as the agent drives it: options, cadence, count, pace, and going on after a restart.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <hbagent/testing.hpp>
#include <map>

#include "generator_source.hpp"
#include "support/catch.hpp"

using hb::Reading;
using hb::testing::TestHost;
using namespace std::chrono_literals;

namespace {

using Config = GeneratorSource::Config;

constexpr std::int64_t kNewYear = 1'767'225'600'000'000;

Config fast_config(std::uint32_t customers, std::uint64_t count) {
  Config config;
  config.customers = customers;
  config.count = count;
  config.start = "2026-01-01T00:00:00Z";
  config.speed = "max";
  return config;
}

void run_once(const Config& config, TestHost& host) {
  GeneratorSource source(config, host.host());
  source.open();
  source.run();
  source.close();
}

std::vector<Reading> generate(const Config& config) {
  TestHost host;
  run_once(config, host);
  return host.readings();
}

bool same(const std::vector<Reading>& a, const std::vector<Reading>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].time_us != b[i].time_us || a[i].heart_rate != b[i].heart_rate ||
        hb::customer_id(a[i]) != hb::customer_id(b[i])) {
      return false;
    }
  }
  return true;
}

// A host whose clock stands still but for waits, which take their time at once, and for what a test adds.
class ClockHost : public TestHost {
 public:
  explicit ClockHost(std::int64_t now, const std::string& state_dir = "")
      : TestHost("test", state_dir), now_(now), raw_(TestHost::raw()) {
    raw_.now_us = [](void* self) { return of(self).now_; };
    raw_.wait = [](void* self, std::uint32_t milliseconds) -> std::uint32_t {
      of(self).now_ += std::int64_t{milliseconds} * 1000 + of(self).oversleep_us;
      ++of(self).waits;
      if (of(self).now_ >= of(self).stop_at) of(self).stop();
      return of(self).raw_.stopping(self);
    };
  }
  hb::Host host() const { return hb::Host(raw_); }
  std::int64_t now() const { return now_; }
  void advance(std::int64_t us) { now_ += us; }

  std::int64_t oversleep_us = 0;
  std::int64_t stop_at = INT64_MAX;
  int waits = 0;

 private:
  static ClockHost& of(void* self) { return *static_cast<ClockHost*>(static_cast<TestHost*>(self)); }
  std::int64_t now_;
  hb_host raw_;
};

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hbagent-generator-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

}  // namespace

TEST_CASE("it makes exactly as many readings as asked, in the documented cadence") {
  Config config = fast_config(7, 10'001);
  config.interval = 250ms;
  const auto readings = generate(config);
  REQUIRE(readings.size() == 10'001);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto customer = static_cast<std::int64_t>(i % 7);
    const auto slot = static_cast<std::int64_t>(i / 7);
    REQUIRE(readings[i].time_us == kNewYear + slot * 250'000 + customer * 250'000 / 7);
    REQUIRE(hb::customer_id(readings[i]) == "cust_0000" + std::to_string(customer));
    REQUIRE((readings[i].heart_rate >= 20 && readings[i].heart_rate <= 250));
    REQUIRE(readings[i].flags == 0);
    REQUIRE(readings[i].received_us > kNewYear);
  }
}

TEST_CASE("the readings do not depend on the batch size") {
  Config config = fast_config(61, 20'000);
  const auto expected = generate(config);
  for (const std::uint32_t batch_size : {1u, 7u, 64u, 5'000u}) {
    config.batch_size = batch_size;
    CHECK(same(generate(config), expected));
  }
}

TEST_CASE("a series that begins later is the end of one that begins earlier") {
  Config config = fast_config(3, 6'000);
  const auto all = generate(config);
  config.start = "2026-01-01T00:16:40.5Z";  // between the second and the third customer
  config.count = 2'998;
  CHECK(same(generate(config), std::vector<Reading>(all.begin() + 3'002, all.end())));
}

TEST_CASE("the bytes behind an id are zero, whatever its length") {
  for (std::size_t length = 0; length <= 38; ++length) {
    const std::string prefix(length, 'x');
    Config config = fast_config(101, 1'000);
    config.id_pattern = prefix + "{}";
    config.batch_size = 333;
    const auto readings = generate(config);
    for (std::size_t i = 0; i < readings.size(); ++i) {
      const std::string id = prefix + std::to_string(i % 101);
      REQUIRE(hb::customer_id(readings[i]) == id);
      for (std::size_t at = id.size(); at < HB_CUSTOMER_ID_CAPACITY; ++at) REQUIRE(readings[i].customer_id[at] == '\0');
    }
  }
}

TEST_CASE("in real time it keeps the rate without drift, however late it wakes") {
  Config config;
  config.customers = 50;
  config.rate = 1000;
  ClockHost host(kNewYear + 123'456);
  host.oversleep_us = GENERATE(0, 700, 37'000);
  host.stop_at = host.now() + 60'000'000;
  GeneratorSource source(config, host.host());
  source.open();
  source.run();

  const auto readings = host.readings();
  // What is due in 60 s, but for what became due in the last sleep.
  CHECK(readings.size() <= 60'000);
  CHECK(static_cast<double>(readings.size()) >=
        60'000 - 1000 * (0.011 + static_cast<double>(host.oversleep_us) * 1e-6));
  for (std::size_t i = 0; i < readings.size(); ++i) {
    REQUIRE(readings[i].time_us <= readings[i].received_us);  // never ahead of the clock
    REQUIRE(readings[i].received_us - readings[i].time_us <= 11'000 + host.oversleep_us);
    if (i > 0) REQUIRE(readings[i].time_us - readings[i - 1].time_us == 1000);
  }
  CHECK(host.waits <= 6'001);  // batches, not single readings
}

TEST_CASE("after a stall of the pipeline what was due is made up for") {
  Config config;
  config.customers = 10;
  ClockHost host(kNewYear);
  host.stop_at = host.now() + 120'000'000;
  bool stalled = false;
  host.after_emit = [&](TestHost&) {
    if (stalled || host.now() < kNewYear + 30'000'000) return;
    stalled = true;
    host.advance(60'000'000);
  };
  GeneratorSource source(config, host.host());
  source.open();
  source.run();
  const auto readings = host.readings();
  CHECK((readings.size() >= 1'199 && readings.size() <= 1'201));
  for (std::size_t i = 1; i < readings.size(); ++i) REQUIRE(readings[i].time_us - readings[i - 1].time_us == 100'000);
}

TEST_CASE("a factor makes virtual time pass faster than the clock") {
  Config config = fast_config(10, 0);
  config.speed = "3600";
  ClockHost host(kNewYear + 500);
  host.stop_at = host.now() + 24'000'000;
  GeneratorSource source(config, host.host());
  source.open();
  source.run();
  const auto readings = host.readings();
  CHECK(static_cast<double>(readings.size()) == Approx(864'000).epsilon(0.001));
  CHECK(readings.front().time_us == kNewYear);
}

TEST_CASE("a clock that is set back does not stop a series that begins at a time of its own") {
  Config config = fast_config(10, 1'000);
  config.speed = "realtime";
  ClockHost host(kNewYear);
  host.stop_at = kNewYear + 3'600'000'000;
  host.after_emit = [&](TestHost& self) {
    if (self.emitted() == 500) host.advance(-1'800'000'000);
  };
  GeneratorSource source(config, host.host());
  source.open();
  source.run();
  CHECK(host.emitted() == 1'000);
  CHECK(host.now() < kNewYear - 1'600'000'000);  // it did not wait for the clock to be there again
}

TEST_CASE("it goes on behind what was safe") {
  const Folder folder;
  Config config = fast_config(11, 50'000);
  const auto all = generate(config);
  config.resume = true;

  TestHost first("test", folder.path);
  first.after_emit = [](TestHost& host) {
    if (host.emitted() == 4'096) host.ack(4'096 + kNewYear / 1'000'000 * 11);
    if (host.emitted() > 20'000) host.stop();
  };
  run_once(config, first);
  CHECK(first.emitted() < 50'000);

  TestHost second("test", folder.path);
  second.ack_at_once(true);
  run_once(config, second);
  CHECK(same(second.readings(), std::vector<Reading>(all.begin() + 4'096, all.end())));

  TestHost third("test", folder.path);
  run_once(config, third);
  CHECK(third.emitted() == 0);  // all 50,000 are safe

  config.resume = false;
  TestHost anew("test", folder.path);
  run_once(config, anew);
  CHECK(anew.emitted() == 50'000);

  config.resume = true;
  config.seed = 2;
  TestHost other("test", folder.path);
  run_once(config, other);
  CHECK(other.emitted() == 50'000);
  CHECK(other.logs().front().second.find("another series") != std::string::npos);
}

TEST_CASE("the position is kept while emit waits, for a kill without warning") {
  const Folder folder;
  Config config = fast_config(100, 500'000);
  config.resume = true;
  TestHost host("test", folder.path);
  host.keep_readings = false;
  host.ack_at_once(true);
  std::optional<generator::Position> kept;
  host.after_emit = [&](TestHost& self) {
    if (self.emitted() < 100'000) return;
    const std::string series = "generator seed 1 customers 100 interval_us 1000000 start " + config.start;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    do {
      std::string why;
      kept = generator::PositionFile(folder.path, series).load(why);
    } while ((!kept || kept->next - kept->first < 100'000) && std::chrono::steady_clock::now() < deadline);
    self.stop();
  };
  GeneratorSource source(config, host.host());
  source.open();
  source.run();
  REQUIRE(kept);
  CHECK(kept->next - kept->first == static_cast<std::int64_t>(host.emitted()));
}

TEST_CASE("a position that cannot be kept is told to the agent") {
  const Folder folder;
  Config config = fast_config(100, 0);
  config.resume = true;
  TestHost host("test", folder.path);
  host.keep_readings = false;
  host.ack_at_once(true);
  GeneratorSource source(config, host.host());
  source.open();
  std::filesystem::remove_all(folder.path);
  CHECK_THROWS_AS(source.run(), hb::Retry);
}

TEST_CASE("with the clock, a restart goes on from now, and with resume it makes up for the break") {
  const Folder folder;
  const bool resume = GENERATE(false, true);
  Config config;
  config.customers = 10;
  config.resume = resume;
  for (const std::int64_t begin : {kNewYear, kNewYear + 100'000'000}) {
    ClockHost host(begin, folder.path);
    host.ack_at_once(true);
    host.stop_at = begin + 10'000'000;
    GeneratorSource source(config, host.host());
    source.open();
    source.run();
    source.close();
    const auto readings = host.readings();
    REQUIRE(!readings.empty());
    const bool made_up = resume && begin != kNewYear;
    CHECK(readings.front().time_us == (made_up ? kNewYear + 10'000'000 : begin));
    CHECK(readings.back().time_us >= begin + 9'900'000);
    for (std::size_t i = 1; i < readings.size(); ++i) REQUIRE(readings[i].time_us - readings[i - 1].time_us == 100'000);
  }
}

TEST_CASE("options that do not fit together are refused with the key and a reason") {
  struct Case {
    std::function<void(Config&)> change;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {[](Config& c) { c.interval = 1s, c.rate = 5; }, "interval and rate exclude"},
      {[](Config& c) { c.rate = 1e9, c.customers = 1; }, "interval of"},
      {[](Config& c) { c.rate = 1e-6; }, "interval of"},
      {[](Config& c) { c.interval = 1us, c.customers = 1001, c.id_pattern = "{}"; }, "1000 readings a microsecond"},
      {[](Config& c) { c.start = "yesterday"; }, "start = \"yesterday\""},
      {[](Config& c) { c.start = "2026-01-01T00:00:00"; }, "start ="},
      {[](Config& c) { c.start = "1979-12-31T23:59:59Z"; }, "between the years"},
      {[](Config& c) { c.speed = "fast"; }, "speed = \"fast\""},
      {[](Config& c) { c.speed = "0"; }, "speed ="},
      {[](Config& c) { c.speed = "nan"; }, "speed ="},
      {[](Config& c) { c.speed = "60x"; }, "speed ="},
      {[](Config& c) { c.id_pattern = "cust"; }, "id_pattern ="},
  };
  TestHost host;
  for (const Case& c : cases) {
    Config config;
    c.change(config);
    CAPTURE(c.reason);
    CHECK_THROWS_WITH(GeneratorSource(config, host.host()), contains_text(c.reason));
  }
}

TEST_CASE("rate gives the interval") {
  Config config = fast_config(4, 9);
  config.rate = 8;
  const auto readings = generate(config);
  CHECK(readings[8].time_us - readings[0].time_us == 1'000'000);
}

TEST_CASE("the option table offers outliers as a nested table with their defaults") {
  const auto& table = hb::option_table<GeneratorSource, Config>();
  std::map<std::string, const hb_option*> by_key;
  for (const hb_option& option : table) by_key[option.key] = &option;
  REQUIRE(by_key.count("outliers") == 1);
  CHECK(by_key["outliers"]->kind == HB_TABLE);
  CHECK(by_key["outliers"]->field_count == 4);
  CHECK(std::string(by_key["speed"]->default_text) == "\"realtime\"");
}

TEST_CASE("the gauges say which readings were handed on, to the microsecond, whatever ended them") {
  Config config = fast_config(7, 0);
  config.interval = 333'333us;
  config.count = 100;
  TestHost host;
  run_once(config, host);
  const auto us = [&](const char* gauge) { return std::llround(host.gauges().at(gauge) * 1e6); };
  const auto readings = host.readings();
  CHECK(us("first_reading_seconds") == readings.front().time_us);
  CHECK(us("next_reading_seconds") > readings.back().time_us);
  // The one that would have come next.
  config.count = 101;
  CHECK(us("next_reading_seconds") == generate(config).back().time_us);
}
