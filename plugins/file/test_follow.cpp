// The source `file` following files: growing, torn lines, rotation, truncation, new files, restarts in between.
#include "file_source.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

namespace {

FileSource::Config following(const std::string& path) {
  FileSource::Config config;
  config.path = path;
  config.follow = true;
  config.poll_interval = std::chrono::milliseconds(2);
  config.rotate_wait = std::chrono::milliseconds(200);
  return config;
}

// A source on a thread of its own, stopped and joined at the end.
class Follower {
 public:
  Follower(const FileSource::Config& config, const std::string& state_dir = "")
      : host("test", state_dir), source_(config, host.host()) {
    host.ack_at_once(true);
    source_.open();
    thread_ = std::thread([this] { source_.run(); });
  }
  ~Follower() { stop(); }
  void stop() {
    host.stop();
    if (!thread_.joinable()) return;
    thread_.join();
    source_.close();
  }
  bool reaches(std::uint64_t readings) {
    return eventually([&] { return host.emitted() >= readings; });
  }
  bool has_open(double files) {
    return eventually([&] {
      const auto gauges = host.gauges();
      const auto open = gauges.find("open_files");
      return open != gauges.end() && open->second == files;
    });
  }
  TestHost host;

 private:
  FileSource source_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a growing file is read as it grows, and an unfinished line waits for its end") {
  const Folder folder;
  const std::string path = folder / "a.jsonl";
  write_file(path, json_rows(0, 3));
  Follower follower(following(path));
  CHECK(follower.reaches(3));
  const std::string row = json_rows(3, 4);
  append_file(path, row.substr(0, 30));
  append_file(folder / "unrelated", "x");
  append_file(path, row.substr(30) + json_rows(4, 6));
  CHECK(follower.reaches(6));
  append_file(path, json_rows(6, 3000));
  CHECK(follower.reaches(3000));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 0, 3000));
  CHECK(follower.host.letters().empty());
}

TEST_CASE("a torn line at a stop is read whole after the restart") {
  const Folder folder;
  const std::string path = folder / "a.jsonl";
  const std::string row = json_rows(3, 4);
  write_file(path, json_rows(0, 3) + row.substr(0, 30));
  {
    Follower follower(following(path), folder.state());
    CHECK(follower.reaches(3));
    follower.stop();
    CHECK(follower.host.letters().empty());
  }
  append_file(path, row.substr(30) + json_rows(4, 5));
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(2));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 3, 5));
}

TEST_CASE("rotation by renaming loses no tail, even one written after the new file appeared") {
  const Folder folder;
  const std::string path = folder / "{customer_id}.log";
  const std::string name = folder / "a.log";
  write_file(name, json_rows(0, 100));
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(100));
  append_file(name, json_rows(100, 110));
  std::filesystem::rename(name, folder / "a.log.1");
  write_file(name, json_rows(200, 220));
  CHECK(follower.reaches(130));
  // The writer had not noticed yet; its last line has no end.
  std::string late = json_rows(110, 115);
  late.pop_back();
  append_file(folder / "a.log.1", late);
  CHECK(follower.reaches(135));
  follower.stop();

  auto readings = follower.host.readings();
  std::sort(readings.begin(), readings.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  REQUIRE(readings.size() == 135);
  CHECK(are_rows({readings.begin(), readings.begin() + 115}, 0, 115));
  CHECK(are_rows({readings.begin() + 115, readings.end()}, 200, 220));
}

TEST_CASE("a file that was rotated while nobody looked is finished first") {
  const Folder folder;
  const std::string path = folder / "a.log";
  write_file(path, json_rows(0, 50));
  {
    Follower follower(following(path), folder.state());
    CHECK(follower.reaches(50));
  }
  append_file(path, json_rows(50, 60));
  std::filesystem::rename(path, folder / "a.log.1");
  write_file(folder / "a.log.0", json_rows(900, 950));  // another file beside it is nobody's business
  write_file(path, json_rows(60, 70));
  {
    Follower follower(following(path), folder.state());
    CHECK(follower.reaches(20));
    follower.stop();
    CHECK(are_rows(follower.host.readings(), 50, 70));
  }
  append_file(path, json_rows(70, 75));
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(5));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 70, 75));
}

TEST_CASE("another file that took the inode of one that was read is nobody's end") {
  const Folder folder;
  const std::string path = folder / "a.log";
  write_file(path, json_rows(0, 50));
  {
    Follower follower(following(path), folder.state());
    CHECK(follower.reaches(50));
  }
  write_file(folder / "other", json_rows(500, 700));
  write_file(folder / "new", json_rows(50, 60));
  std::filesystem::rename(folder / "new", path);
  // Which inode a file gets is the file system's choice, so the store is told that it is the same.
  const PositionStore store(folder.state());
  auto positions = store.load();
  REQUIRE(positions.size() == 1);
  positions[0].inode = identify(folder / "other")->inode;
  store.save(positions);
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(10));
  CHECK(follower.has_open(1));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 50, 60));
}

TEST_CASE("a file that was cut while nobody looked is read from its beginning") {
  const Folder folder;
  const std::string path = folder / "a.log";
  write_file(path, json_rows(0, 50));
  {
    Follower follower(following(path), folder.state());
    CHECK(follower.reaches(50));
  }
  const std::string rows = json_rows(0, 20);
  REQUIRE(rows.size() > Fingerprint::kMaxSize);
  std::filesystem::resize_file(path, rows.size());
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(20));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 0, 20));
}

TEST_CASE("a file that was moved away is read for as long as it goes on growing") {
  const Folder folder;
  const std::string path = folder / "a.log";
  write_file(path, json_rows(0, 1));
  auto config = following(path);
  config.rotate_wait = std::chrono::seconds(1);
  Follower follower(config, folder.state());
  CHECK(follower.reaches(1));
  std::filesystem::rename(path, folder / "moved");
  for (int i = 1; i < 6; ++i) {
    follower.host.host().wait(std::chrono::milliseconds(300));
    append_file(folder / "moved", json_rows(i, i + 1));
    CHECK(follower.reaches(static_cast<std::uint64_t>(i) + 1));
  }
  CHECK(follower.has_open(0));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 0, 6));
}

TEST_CASE("a file that is emptied and written on is read from its beginning") {
  const Folder folder;
  const std::string path = folder / "a.jsonl";
  write_file(path, json_rows(0, 100));
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(100));
  SECTION("shorter than before") {
    write_file(path, json_rows(100, 150));
    CHECK(follower.reaches(150));
    follower.stop();
    CHECK(are_rows(follower.host.readings(), 0, 150));
  }
  SECTION("longer than before") {
    write_file(path, json_rows(100, 500));
    CHECK(follower.reaches(500));
    follower.stop();
    CHECK(are_rows(follower.host.readings(), 0, 500));
  }
}

TEST_CASE("new files of a pattern are found, and a rotated name in the pattern is not read twice") {
  const Folder folder;
  write_file(folder / "a.log", json_rows(0, 10));
  auto config = following(folder / "*.log*");
  Follower follower(config, folder.state());
  CHECK(follower.reaches(10));
  std::filesystem::rename(folder / "a.log", folder / "a.log.1");
  write_file(folder / "a.log", json_rows(10, 20));
  CHECK(follower.reaches(20));
  CHECK(follower.has_open(2));
  append_file(folder / "a.log.1", json_rows(20, 21));
  CHECK(follower.reaches(21));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 0, 21));

  Follower again(config, folder.state());
  CHECK(again.has_open(2));
  again.stop();
  CHECK(again.host.emitted() == 0);
}

TEST_CASE("a file that does not exist yet is waited for, and said to be missing") {
  const Folder folder;
  const std::string path = folder / "a.jsonl";
  Follower follower(following(path));
  CHECK(eventually([&] { return follower.host.health() && !follower.host.health()->first; }));
  write_file(path, json_rows(0, 4));
  CHECK(follower.reaches(4));
  CHECK(eventually([&] { return follower.host.health()->first; }));
}

TEST_CASE("a followed path that becomes a folder is said to be one, until a file takes its place") {
  const Folder folder;
  const std::string path = folder / "a.jsonl";
  Follower follower(following(path));
  const auto says = [&](const std::string& text) {
    return eventually([&] { return follower.host.health() && follower.host.health()->second.find(text) != text.npos; });
  };
  CHECK(says("no file matches"));
  std::filesystem::create_directory(path);
  CHECK(says("is a folder"));
  std::filesystem::remove(path);
  write_file(path, json_rows(0, 4));
  CHECK(follower.reaches(4));
  CHECK(eventually([&] { return follower.host.health()->first; }));
}

TEST_CASE("a file that goes away is let go, and one of the same name is read anew") {
  const Folder folder;
  const std::string path = folder / "a.jsonl";
  write_file(path, json_rows(0, 4));
  Follower follower(following(path), folder.state());
  CHECK(follower.reaches(4));
  std::filesystem::remove(path);
  CHECK(follower.has_open(0));
  write_file(path, json_rows(4, 8));
  CHECK(follower.reaches(8));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 0, 8));
}

TEST_CASE("a FIFO is followed from writer to writer") {
  const Folder folder;
  const std::string path = folder / "fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Follower follower(following(path));
  append_file(path, json_rows(0, 5));
  CHECK(follower.reaches(5));
  append_file(path, json_rows(5, 9));
  CHECK(follower.reaches(9));
  follower.stop();
  CHECK(are_rows(follower.host.readings(), 0, 9));
}

TEST_CASE("a CSV file whose header is not complete yet is not judged by half of it") {
  const Folder folder;
  const std::string path = folder / "{customer_id}.csv";
  write_file(folder / "a.csv", "time,hea");
  Follower follower(following(path));
  CHECK(follower.has_open(1));
  append_file(folder / "a.csv", "rt_rate\n" + csv_rows(0, 3));
  CHECK(follower.reaches(3));
  follower.stop();
  CHECK(follower.host.letters().empty());
}
