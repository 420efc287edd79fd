// The source `file` reading standard input and pipes.
#include <random>

#include "file_source.hpp"
#include "source_support.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

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
