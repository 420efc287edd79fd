// The source `file` reading to the end: values, pace, files that it cannot read.
#include <hbcommon/time.hpp>

#include "file_source.hpp"
#include "source_support.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

namespace {

const std::string kSeries = "../../tests/data/series/";

struct Row {
  std::string time, heart_rate;
};
std::vector<Row> rows_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<Row> rows;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    const auto comma = line.find(',');
    rows.push_back({line.substr(0, comma), line.substr(comma + 1)});
  }
  return rows;
}

// By the C library; every time of the series is whole seconds, UTC, with a Z.
std::int64_t slow_time(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  REQUIRE(end != nullptr);
  REQUIRE(std::string(end) == "Z");
  return static_cast<std::int64_t>(::timegm(&parts)) * 1'000'000;
}

}  // namespace

TEST_CASE("real recordings replay as one customer a file, value for value and time for time") {
  const Run run = run_to_end(config_for(kSeries + "{customer_id}.csv"));

  std::size_t at = 0;
  for (const std::string name : {"empatica-e4", "garmin-fr935-mixed", "polar-exercise-1hz", "vivoactive-hr-run"}) {
    const auto rows = rows_of(kSeries + name + ".csv");
    REQUIRE(rows.size() > 1000);
    for (const Row& row : rows) {
      INFO(name << ' ' << row.time << ' ' << row.heart_rate);
      REQUIRE(at < run.readings.size());
      const hb::Reading& reading = run.readings[at++];
      REQUIRE(hb::customer_id(reading) == name);
      REQUIRE(reading.time_us == slow_time(row.time));
      // To nearest, a half to even: what the C library does by default.
      REQUIRE(reading.heart_rate == std::lrint(std::stod(row.heart_rate)));
      REQUIRE(reading.flags == 0);
      REQUIRE(reading.received_us > 0);
    }
  }
  CHECK(at == run.readings.size());
  CHECK(at == 5298 + 1641 + 3651 + 2557);
  CHECK(run.discarded == std::map<std::string, std::uint64_t>{{"zero_bpm", 1808}});
  CHECK(run.letters.empty());
}

TEST_CASE("a recording without a single contact gives discards and nothing else") {
  const Run run = run_to_end(config_for(kSeries + "{customer_id}-hr-all-zero.csv"));
  CHECK(run.readings.empty());
  CHECK(run.letters.empty());
  CHECK(run.discarded == std::map<std::string, std::uint64_t>{{"zero_bpm", 1808}});
  // The position moves past them all the same.
  REQUIRE_FALSE(run.emits.empty());
}

TEST_CASE("a file without the columns is named, and the others are read") {
  const Folder folder;
  write_file(folder / "a.csv", "time,bpm\n" + csv_rows(0, 5));
  write_file(folder / "b.csv", "time,heart_rate\n" + csv_rows(0, 5));
  TestHost host("test", folder.state());
  FileSource source(config_for(folder / "{customer_id}.csv"), host.host());
  source.open();
  CHECK_THROWS_AS(source.run(), hb::Retry);
  CHECK(are_rows(host.readings(), 0, 5));
  REQUIRE(host.health());
  CHECK_FALSE(host.health()->first);
  CHECK(host.health()->second.find("a.csv") != std::string::npos);
  source.close();

  write_file(folder / "a.csv", "time,heart_rate\n" + csv_rows(5, 9));
  source.open();
  source.run();
  source.close();
  CHECK(are_rows(host.readings(), 0, 9));
  CHECK(host.health()->first);
}

TEST_CASE("nothing to read is an error that goes away by itself, a senseless option one that does not") {
  const Folder folder;
  TestHost host;
  FileSource source(config_for(folder / "none.jsonl"), host.host());
  CHECK_THROWS_AS(source.open(), hb::Retry);
  write_file(folder / "none.jsonl", json_rows(0, 1));
  source.open();
  source.run();
  CHECK(host.emitted() == 1);

  auto config = config_for("a.jsonl");
  config.speed = "fast";
  CHECK_THROWS_AS(FileSource(config, host.host()), hb::Failed);
  CHECK_THROWS_AS(FileSource(config_for("{customer}.csv"), host.host()), hb::Failed);
  CHECK_THROWS_AS(FileSource(config_for("{customer_id}/{customer_id}.csv"), host.host()), hb::Failed);
}

TEST_CASE("with original timing readings come at their distance in time, files side by side") {
  const Folder folder;
  for (const std::string name : {"a", "b", "c"}) {
    write_file(folder / (name + ".csv"), "time,heart_rate\n" + csv_rows(0, 11));
  }
  auto config = config_for(folder / "{customer_id}.csv");
  config.speed = "100x";  // a second in 10 ms
  TestHost host("test", folder.state());
  host.ack_at_once(true);
  FileSource source(config, host.host());
  source.open();
  source.run();
  source.close();

  std::map<std::string, std::vector<hb::Reading>> files;
  for (const auto& reading : host.readings()) files[std::string(hb::customer_id(reading))].push_back(reading);
  REQUIRE(files.size() == 3);
  std::int64_t last_start = 0;
  std::int64_t first_end = INT64_MAX;
  for (const auto& [name, readings] : files) {
    INFO(name);
    REQUIRE(are_rows(readings, 0, 11));
    last_start = std::max(last_start, readings.front().received_us);
    first_end = std::min(first_end, readings.back().received_us);
    // Stamped when released, and never released early (a millisecond between two clocks is allowed for).
    for (std::size_t i = 0; i < readings.size(); ++i) {
      CHECK(readings[i].received_us - readings[0].received_us >= static_cast<std::int64_t>(i) * 10'000 - 1000);
    }
  }
  CHECK(last_start < first_end);
  CHECK(run_to_end(config, folder.state()).readings.empty());
}

TEST_CASE("every reading is received at a time of its own") {
  const Folder folder;
  std::string json, csv, speed;
  SECTION("CSV") {
    csv = "time,heart_rate,customer_id\n2023-11-14T22:13:20Z,40,a\n2023-11-14T22:13:20Z,41,a\n";
  }
  SECTION("JSON lines") {
    json = json_rows(0, 5000);
  }
  SECTION("in their own time") {
    json = json_rows(0, 1) + json_rows(0, 1) + json_rows(0, 1);
    speed = "realtime";
  }
  write_file(folder / (json.empty() ? "a.csv" : "a.jsonl"), json + csv);
  auto config = config_for(folder / "a.*");
  if (!csv.empty()) config.decoder = LineFormat::csv;
  if (!speed.empty()) config.speed = speed;
  TestHost host;
  constexpr std::int64_t kNow = 1'800'000'000'000'000;
  host.set_now_us(kNow);
  FileSource source(config, host.host());
  source.open();
  source.run();
  const auto readings = host.readings();
  REQUIRE(readings.size() >= 2);
  std::int64_t last = kNow - 1;
  for (const auto& reading : readings) {
    REQUIRE(reading.received_us > last);
    last = reading.received_us;
  }
  CHECK(last < kNow + 10'000);
}
