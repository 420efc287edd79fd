// The source `file` after a restart: nothing is lost, and nothing that was acknowledged comes again.
#include "file_source.hpp"
#include "source_support.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

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
