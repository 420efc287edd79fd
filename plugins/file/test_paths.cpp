// The source `file` on paths that are no regular file: folders, sockets, FIFOs.
#include <sys/socket.h>
#include <sys/un.h>

#include "file_source.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

namespace {

FileSource::Config config_for(const std::string& path) {
  FileSource::Config config;
  config.path = path;
  return config;
}

}  // namespace

TEST_CASE("a path that can never hold lines is a matter of configuration that says what is there and what to do") {
  const Folder folder;
  TestHost host;
  const auto refusal = [&](const std::string& path) -> std::string {
    try {
      FileSource source(config_for(path), host.host());
    } catch (const hb::Failed& failure) {
      return failure.what();
    }
    return "";
  };
  std::filesystem::create_directory(folder / "data");
  CHECK(refusal(folder / "data") == "path = \"" + (folder / "data") +
                                        "\" is a folder: name a file in it, or all of them by a pattern such as \"" +
                                        (folder / "data") + "/*.csv\"");
  // What the file system makes of a link, or of a slash, counts.
  std::filesystem::create_symlink(folder / "data", folder / "link");
  CHECK_THAT(refusal((folder / "link") + "/"), contains_text("/*.csv") && !contains_text("//*"));

  const UniqueFd server(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{AF_UNIX, {}};
  (folder / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK(refusal(folder / "socket") == "path = \"" + (folder / "socket") +
                                          "\" is a socket, which cannot be read as a file: name a file or a FIFO, or "
                                          "let a program that connects to it write to standard input (\"-\")");
  CHECK(refusal(folder / "nothing.csv") == "");
  CHECK(refusal("/dev/null") == "");
  CHECK(refusal(folder / "*") == "");
}

TEST_CASE("a path that becomes a folder later, and a pattern that finds only others, are said for what they are") {
  const Folder folder;
  TestHost host;
  const auto said = [&](FileSource& source) -> std::string {
    try {
      source.open();
    } catch (const hb::Retry& retry) {
      return retry.what();
    }
    return "";
  };
  FileSource later(config_for(folder / "later.jsonl"), host.host());
  CHECK(said(later) == "no file matches " + (folder / "later.jsonl"));
  std::filesystem::create_directory(folder / "later.jsonl");
  CHECK_THAT(said(later), contains_text("later.jsonl\" is a folder: name a file in it"));
  FileSource pattern(config_for(folder / "*.jsonl"), host.host());
  CHECK(said(pattern) ==
        "no file matches " + (folder / "*.jsonl") + ", only " + (folder / "later.jsonl") + ", which is a folder");
  std::filesystem::remove(folder / "later.jsonl");
  REQUIRE(::mkfifo((folder / "later.jsonl").c_str(), 0600) == 0);
  CHECK_THAT(said(pattern), contains_text(", which is a FIFO"));
  std::filesystem::remove(folder / "later.jsonl");
  write_file(folder / "later.jsonl", json_rows(0, 3));
  CHECK(said(later) == "");
  later.run();
  CHECK(are_rows(host.readings(), 0, 3));
}

TEST_CASE("a FIFO waits for its first writer, says so, and is read to the end of the last one") {
  const Folder folder;
  const std::string path = folder / "fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  TestHost host;
  FileSource source(config_for(path), host.host());
  source.open();
  const auto logs = host.logs();
  REQUIRE(logs.size() == 1);
  CHECK(logs[0].second == path + " is a FIFO: reading what others write to it");
  std::thread runner([&] { source.run(); });
  {
    std::ofstream first(path), second(path);
    first << json_rows(0, 3) << std::flush;
    CHECK(eventually([&] { return host.emitted() == 3; }));
    first.close();
    second << json_rows(3, 5);
  }
  runner.join();
  CHECK(are_rows(host.readings(), 0, 5));
}

TEST_CASE("a FIFO that nobody writes to does not hold up a stop") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  TestHost host;
  FileSource source(config_for(folder / "fifo"), host.host());
  source.open();
  std::thread runner([&] { source.run(); });
  host.stop();
  runner.join();
  source.close();
  CHECK(host.emitted() == 0);
}
