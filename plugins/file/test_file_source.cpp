// The source `file` reading to the end: values, mapping, bad lines, resuming, pacing.
#include <hbcommon/time.hpp>
#include <random>

#include "file_source.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

namespace {

const std::string kSeries = "../../tests/data/series/";

struct Run {
  std::vector<hb::Reading> readings;
  std::vector<hb::testing::RecordedLetter> letters;
  std::map<std::string, std::uint64_t> discarded;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> emits;
};

Run run_to_end(const FileSource::Config& config, const std::string& state_dir = "") {
  TestHost host("test", state_dir);
  host.ack_at_once(true);
  FileSource source(config, host.host());
  source.open();
  source.run();
  source.close();
  return {host.readings(), host.letters(), host.discarded(), host.emits()};
}

FileSource::Config config_for(const std::string& path) {
  FileSource::Config config;
  config.path = path;
  return config;
}

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

TEST_CASE("the position is kept while emit waits, for a kill without warning") {
  const Folder folder;
  write_file(folder / "a.jsonl", json_rows(0, 20'000));
  TestHost host("test", folder.state());
  host.ack_at_once(true);
  std::uint64_t kept = 0, safe = 0;
  host.after_emit = [&](TestHost& self) {
    if (self.emits().size() < 3) {
      safe = self.emitted();  // the mark of an emit comes when it has returned
      return;
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (kept < safe && std::chrono::steady_clock::now() < deadline) {
      const auto positions = PositionStore(folder.state()).load();
      if (!positions.empty()) kept = positions[0].lines;
    }
    self.stop();
  };
  FileSource source(config_for(folder / "a.jsonl"), host.host());
  source.open();
  source.run();
  REQUIRE(safe > 0);
  CHECK(kept == safe);
}

TEST_CASE("after a restart reading goes on exactly behind what was acknowledged") {
  const Folder folder;
  write_file(folder / "a.jsonl", json_rows(0, 20'000));
  const auto config = config_for(folder / "a.jsonl");
  std::size_t safe = 0;
  {
    TestHost host("test", folder.state());
    host.after_emit = [&](TestHost& self) {
      const auto emits = self.emits();
      if (emits.size() < 6) return;
      self.ack(emits[3].first);
      for (std::size_t i = 0; i < 4; ++i) safe += emits[i].second;
      self.after_emit = nullptr;
      self.stop();
    };
    FileSource source(config, host.host());
    source.open();
    source.run();
    source.close();
    REQUIRE(host.emitted() > safe);
  }
  REQUIRE(safe > 0);
  const Run rest = run_to_end(config, folder.state());
  CHECK(are_rows(rest.readings, static_cast<int>(safe), 20'000));
  // All of it is safe now.
  CHECK(run_to_end(config, folder.state()).readings.empty());

  auto anew = config;
  anew.resume = false;
  CHECK(run_to_end(anew, folder.state()).readings.size() == 20'000);
}

TEST_CASE("a file that took the path, or the inode, of one that was read starts anew") {
  const Folder folder;
  const std::string path = folder / "{customer_id}.csv";
  const std::string file = folder / "a.csv";
  write_file(file, "time,heart_rate\n" + csv_rows(0, 100));
  REQUIRE(run_to_end(config_for(path), folder.state()).readings.size() == 100);

  SECTION("grown: only what is new, with the header still known") {
    append_file(file, csv_rows(100, 130));
    CHECK(are_rows(run_to_end(config_for(path), folder.state()).readings, 100, 130));
  }
  SECTION("another file under the same name") {
    write_file(folder / "b", "time,heart_rate\n" + csv_rows(500, 700));
    std::filesystem::rename(folder / "b", file);
    CHECK(are_rows(run_to_end(config_for(path), folder.state()).readings, 500, 700));
  }
  SECTION("written anew in place, longer than before") {
    write_file(file, "time,heart_rate\n" + csv_rows(500, 900));
    CHECK(are_rows(run_to_end(config_for(path), folder.state()).readings, 500, 900));
  }
  SECTION("cut, but still with the same beginning") {
    std::filesystem::resize_file(file, read_file(file).size() / 2);
    CHECK(run_to_end(config_for(path), folder.state()).readings.size() >= 49);
  }
  SECTION("the same file under another name that the pattern finds") {
    std::filesystem::rename(file, folder / "renamed.csv");
    CHECK(run_to_end(config_for(path), folder.state()).readings.empty());
  }
}

TEST_CASE("a damaged position file is put aside and everything is read again") {
  const Folder folder;
  write_file(folder / "a.jsonl", json_rows(0, 10));
  REQUIRE(run_to_end(config_for(folder / "a.jsonl"), folder.state()).readings.size() == 10);
  const std::string store = folder.state() + "/positions";
  std::string text = read_file(store);
  text[text.size() / 2] ^= 1;
  write_file(store, text);
  CHECK(run_to_end(config_for(folder / "a.jsonl"), folder.state()).readings.size() == 10);
  CHECK(read_file(store + ".damaged") == text);
  CHECK(run_to_end(config_for(folder / "a.jsonl"), folder.state()).readings.empty());
}

TEST_CASE("a bad line goes to the dead letters with its place, and costs no neighbour") {
  const Folder folder;
  const std::string path = folder / "cust.csv";
  const std::string good = csv_rows(0, 1);
  const std::string long_line(5000, '7');
  write_file(path, "\xEF\xBB\xBFtime,heart_rate\r\n" + good + "yesterday,70\n" + good + "\n" + good.substr(0, 20) +
                       ",abc\r\n" + good + long_line + "\n" + good + "2023-11-14T22:13:20Z\n" + good +
                       "2023-11-14T22:13:20Z,0\n" + good + "2023-11-14T22:13:20Z,\"7");
  auto config = config_for(folder / "{customer_id}.csv");
  config.max_line = hb::Bytes{100};
  const Run run = run_to_end(config);

  CHECK(run.readings.size() == 6);
  CHECK(run.discarded == std::map<std::string, std::uint64_t>{{"zero_bpm", 1}});
  std::vector<std::array<std::string, 3>> letters;
  for (const auto& letter : run.letters) letters.push_back({letter.reason, letter.origin, letter.payload});
  CHECK(letters == std::vector<std::array<std::string, 3>>{
                       {"bad_time", path + ":3", "yesterday,70"},
                       {"not_a_number", path + ":6", good.substr(0, 20) + ",abc"},
                       {"too_large", path + ":8", long_line.substr(0, 100)},
                       {"bad_csv", path + ":10", "2023-11-14T22:13:20Z"},
                       {"bad_csv", path + ":14", "2023-11-14T22:13:20Z,\"7"},
                   });
}

TEST_CASE("a dead letter that cannot be kept holds its line back, and what came before is handed over") {
  const Folder folder;
  write_file(folder / "a.jsonl", json_rows(0, 5) + "{\n" + json_rows(5, 10));
  TestHost host("test", folder.state());
  host.ack_at_once(true);
  host.refuse_dead_letters = true;
  FileSource source(config_for(folder / "a.jsonl"), host.host());
  source.open();
  CHECK_THROWS_AS(source.run(), hb::Retry);
  source.close();
  CHECK(are_rows(host.readings(), 0, 5));

  host.refuse_dead_letters = false;
  source.open();
  source.run();
  source.close();
  CHECK(are_rows(host.readings(), 0, 10));
  REQUIRE(host.letters().size() == 1);
  CHECK(host.letters()[0].origin == (folder / "a.jsonl") + ":6");
}

TEST_CASE("of a line with several bad parts each is reported once, also where its dead letter had to wait") {
  const Folder folder;
  std::string line =
      R"([{"id":"a","hr":50},{"id":"a","hr":0},{"id":"a","hr":"x"},{"id":"a","hr":51},{"id":"a","hr":"y"},)"
      R"({"id":"a","hr":0},{"id":"a","hr":"z"}])";
  SECTION("a whole line") {
    line += '\n';
  }
  SECTION("a last line without an end") {}
  write_file(folder / "a.jsonl", line);
  auto config = config_for(folder / "a.jsonl");
  config.each = "";
  config.customer_id.pointer = "/id";
  config.heart_rate.pointer = "/hr";
  config.time.from = hb::codec::TimeFrom::receive;
  TestHost host("test", folder.state());
  FileSource source(config, host.host());
  for (const std::size_t kept : {1U, 1U, 2U, 0U}) {
    host.most_dead_letters = kept;
    source.open();
    CHECK_THROWS_AS(source.run(), hb::Retry);
    source.close();
    CHECK(host.readings().empty());
  }
  host.most_dead_letters = 9;
  source.open();
  source.run();
  source.close();
  REQUIRE(host.readings().size() == 2);
  CHECK(host.readings()[1].heart_rate == 51);
  std::vector<std::string> letters;
  for (const auto& letter : host.letters()) letters.push_back(letter.payload.substr(16, 1));
  CHECK(letters == std::vector<std::string>{"x", "y", "z"});
  CHECK(host.discarded() == std::map<std::string, std::uint64_t>{{"zero_bpm", 2}});
}

TEST_CASE("what was reported of a last line says nothing of the longer line that it turns into") {
  const Folder folder;
  const std::string line = R"([{"hr":"x"},{"hr":"y"}])";
  write_file(folder / "a.jsonl", line);
  auto config = config_for(folder / "a.jsonl");
  config.each = "";
  config.customer_id.constant = "a";
  config.heart_rate.pointer = "/hr";
  config.time.from = hb::codec::TimeFrom::receive;
  TestHost host("test", folder.state());
  FileSource source(config, host.host());
  host.most_dead_letters = 1;
  source.open();
  CHECK_THROWS_AS(source.run(), hb::Retry);
  source.close();
  append_file(folder / "a.jsonl", "]\n");
  host.most_dead_letters = 9;
  source.open();
  source.run();
  source.close();
  REQUIRE(host.letters().size() == 2);
  CHECK(host.letters()[0].payload == R"({"hr":"x"})");
  CHECK(host.letters()[1].payload == line + "]");
}

TEST_CASE("a bad last line without an end waits as long as its dead letter cannot be kept") {
  const Folder folder;
  write_file(folder / "a.jsonl", json_rows(0, 5) + "{");
  TestHost host("test", folder.state());
  host.ack_at_once(true);
  FileSource source(config_for(folder / "a.jsonl"), host.host());
  host.refuse_dead_letters = true;
  for (int attempt = 0; attempt < 3; ++attempt) {
    source.open();
    CHECK_THROWS_AS(source.run(), hb::Retry);
    source.close();
  }
  host.refuse_dead_letters = false;
  source.open();
  source.run();
  source.close();
  CHECK(are_rows(host.readings(), 0, 5));
  REQUIRE(host.letters().size() == 1);
  CHECK(host.letters()[0].payload == "{");
}

TEST_CASE("a refused emit loses nothing and keeps the position") {
  const Folder folder;
  write_file(folder / "a.jsonl", json_rows(0, 10));
  {
    TestHost host("test", folder.state());
    host.ack_at_once(true);
    FileSource source(config_for(folder / "a.jsonl"), host.host());
    source.open();
    host.stop();
    source.run();
    source.close();
    CHECK(host.readings().empty());
  }
  CHECK(are_rows(run_to_end(config_for(folder / "a.jsonl"), folder.state()).readings, 0, 10));
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

TEST_CASE("standard input is read to its end") {
  const Folder folder;
  write_file(folder / "a", json_rows(0, 5000));
  const UniqueFd saved(::dup(0));
  const UniqueFd from(::open((folder / "a").c_str(), O_RDONLY));
  ::dup2(from.get(), 0);
  const Run run = run_to_end(config_for("-"));
  ::dup2(saved.get(), 0);
  CHECK(are_rows(run.readings, 0, 5000));
}

TEST_CASE("a pipe is handed on as soon as it pauses, and stopping does not wait for it") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const UniqueFd saved(::dup(0));
  ::dup2(in.get(), 0);
  TestHost host;
  FileSource source(config_for("-"), host.host());
  source.open();
  std::thread runner([&] { source.run(); });
  const std::string text = json_rows(0, 3);
  REQUIRE(::write(out.get(), text.data(), text.size() - 10) > 0);
  CHECK(eventually([&] { return host.emitted() == 2; }));
  REQUIRE(::write(out.get(), text.data() + text.size() - 10, 10) == 10);
  CHECK(eventually([&] { return host.emitted() == 3; }));
  host.stop();
  runner.join();
  ::dup2(saved.get(), 0);
  CHECK(are_rows(host.readings(), 0, 3));
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

TEST_CASE("random pieces through a pipe give the same readings as the whole file") {
  std::mt19937 random(7);
  std::string text = "time,heart_rate,customer_id\n";
  for (int i = 0; i < 2000; ++i) {
    std::string row = csv_rows(i, i + 1);
    row.pop_back();
    if (random() % 50 == 0) row[random() % row.size()] = '#';
    text += row + (random() % 3 == 0 ? ",\"cu,st\"\r\n" : ",cust\n");
    if (random() % 40 == 0) text += "\n";
  }
  const Folder folder;
  write_file(folder / "a.csv", text);
  const Run whole = run_to_end(config_for(folder / "a.csv"));
  REQUIRE(whole.readings.size() > 1900);
  REQUIRE(whole.readings.size() + whole.letters.size() == 2000);

  for (int round = 0; round < 5; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    UniqueFd in(ends[0]);
    UniqueFd out(ends[1]);
    const UniqueFd saved(::dup(0));
    ::dup2(in.get(), 0);
    std::thread writer([&] {
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 700, text.size() - at);
        const ssize_t count = ::write(out.get(), text.data() + at, size);
        if (count <= 0) break;
        at += static_cast<std::size_t>(count);
      }
      out.reset();
    });
    auto config = config_for("-");
    config.decoder = LineFormat::csv;
    const Run pieces = run_to_end(config);
    writer.join();
    ::dup2(saved.get(), 0);
    REQUIRE(pieces.readings.size() == whole.readings.size());
    for (std::size_t i = 0; i < pieces.readings.size(); ++i) {
      REQUIRE(pieces.readings[i].time_us == whole.readings[i].time_us);
      REQUIRE(pieces.readings[i].heart_rate == whole.readings[i].heart_rate);
      REQUIRE(hb::customer_id(pieces.readings[i]) == hb::customer_id(whole.readings[i]));
    }
    REQUIRE(pieces.letters.size() == whole.letters.size());
    for (std::size_t i = 0; i < pieces.letters.size(); ++i) {
      REQUIRE(pieces.letters[i].payload == whole.letters[i].payload);
    }
  }
}
