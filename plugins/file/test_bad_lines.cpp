// The source `file` and lines that cannot be decoded: their dead letters, also where these have to wait.
#include "file_source.hpp"
#include "source_support.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

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
