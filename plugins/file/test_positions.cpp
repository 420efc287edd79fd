// Positions across restarts, and how acknowledged tokens move them.
#include "position_tracker.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"
#include "unique_fd.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::TestHost;

TEST_CASE("positions come back as they were stored, whatever bytes a path holds") {
  const Folder folder;
  const PositionStore store(folder.state());
  CHECK(store.load().empty());
  const std::vector<Position> positions{{"/data/a b.csv", 5, 100, 7, {512, ~0ULL}},
                                        {"/x\ny\\nz\nend 5\n", ~0ULL, ~0ULL, 0, {0, 0}},
                                        {"", 1, 2, 3, {4, 5}}};
  store.save(positions);
  CHECK(store.load() == positions);
  store.save(std::span(positions).first(1));
  CHECK(store.load().size() == 1);
}

TEST_CASE("a position file with any one byte changed or cut off is refused") {
  const Folder folder;
  const PositionStore store(folder.state());
  const std::vector<Position> positions{{"/data/a.csv", 5, 100, 7, {512, 99}}};
  store.save(positions);
  const std::string path = folder.state() + "/positions";
  const std::string text = read_file(path);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 2);
    write_file(path, changed);
    INFO("byte " << i);
    CHECK_THROWS_AS(store.load(), std::runtime_error);
    write_file(path, text.substr(0, i));
    CHECK_THROWS_AS(store.load(), std::runtime_error);
  }
}

TEST_CASE("a position moves only up to the token that is safe") {
  const Folder folder;
  write_file(folder / "a", std::string(1000, 'a'));
  const UniqueFd fd(::open((folder / "a").c_str(), O_RDONLY));
  TestHost host("test", folder.state());
  const auto stored = [&] {
    const auto positions = PositionStore(folder.state()).load();
    return positions.empty() ? 0 : positions.at(0).offset;
  };
  PositionTracker tracker(host.host(), true);
  tracker.load();
  const auto file = tracker.enter("a", 1, fd.get());
  for (std::uint64_t token = 1; token <= 5; ++token) tracker.emitted_up_to(file, {token * 100, token, {}}, token * 10);
  tracker.commit(true);
  CHECK(stored() == 0);
  host.ack(29);
  tracker.commit(true);
  CHECK(stored() == 200);
  host.ack(30);
  tracker.commit(true);
  CHECK(stored() == 300);
  CHECK(tracker.emitted(file).offset == 500);
}

TEST_CASE("a file that was read but is not safe yet leaves its place to no other file") {
  const Folder folder;
  write_file(folder / "old", std::string(1000, 'a'));
  const UniqueFd old(::open((folder / "old").c_str(), O_RDONLY));
  TestHost host("test", folder.state());
  PositionTracker tracker(host.host(), true);
  tracker.load();
  const auto file = tracker.enter("a", 7, old.get());
  tracker.emitted_up_to(file, {800, 8, fingerprint(old.get(), 800)}, 1);
  tracker.leave(file);

  SECTION("the same one is read on where it was left") {
    CHECK(tracker.emitted(tracker.enter("a", 7, old.get())).offset == 800);
  }
  SECTION("one with its inode and its path that begins otherwise is read from its beginning") {
    write_file(folder / "new", std::string(2000, 'b'));
    const UniqueFd fd(::open((folder / "new").c_str(), O_RDONLY));
    const auto other = tracker.enter("a", 7, fd.get());
    CHECK(tracker.emitted(other).offset == 0);
    // What becomes safe of the old file is no position of the new one.
    host.ack(1);
    tracker.commit(true);
    CHECK(tracker.emitted(other).offset == 0);
    tracker.emitted_up_to(other, {100, 1, fingerprint(fd.get(), 100)}, 2);
    host.ack(2);
    tracker.commit(true);
    PositionTracker restarted(host.host(), true);
    restarted.load();
    CHECK(restarted.emitted(restarted.enter("a", 7, fd.get())).offset == 100);
  }
  SECTION("one that is shorter than what was read is read from its beginning") {
    write_file(folder / "new", std::string(700, 'a'));
    const UniqueFd fd(::open((folder / "new").c_str(), O_RDONLY));
    CHECK(tracker.emitted(tracker.enter("a", 7, fd.get())).offset == 0);
  }
  SECTION("it is looked for by what was read of it") {
    const auto left = tracker.left_under("a");
    REQUIRE(left.size() == 1);
    CHECK(left[0].inode == 7);
    CHECK(left[0].offset == 800);
    CHECK(left[0].start == fingerprint(old.get(), 800));
    CHECK(tracker.left_under("b").empty());
  }
}

TEST_CASE("a file of which no beginning is known, for it was cut at that moment, is read from its beginning") {
  const Folder folder;
  write_file(folder / "a", std::string(1000, 'a'));
  const UniqueFd fd(::open((folder / "a").c_str(), O_RDONLY));
  PositionStore(folder.state()).save(std::vector<Position>{{"a", 7, 800, 8, {}}});
  TestHost host("test", folder.state());
  PositionTracker tracker(host.host(), true);
  tracker.load();
  CHECK(tracker.emitted(tracker.enter("a", 7, fd.get())).offset == 0);
}

TEST_CASE("marks are bounded however long nothing is acknowledged, and none is passed too early") {
  const Folder folder;
  write_file(folder / "a", std::string(1000, 'a'));
  const UniqueFd fd(::open((folder / "a").c_str(), O_RDONLY));
  TestHost host("test", folder.state());
  PositionTracker tracker(host.host(), true);
  tracker.load();
  const auto one = tracker.enter("a", 1, fd.get());
  const auto two = tracker.enter("b", 2, fd.get());
  const std::uint64_t last = 300'001;
  for (std::uint64_t token = 1; token <= last; ++token)
    tracker.emitted_up_to(token % 3 == 0 ? two : one, {token, token, {}}, token);
  CHECK(tracker.waiting() < 20'000);
  host.ack(150'000);
  tracker.commit(true);
  for (const Position& position : PositionStore(folder.state()).load()) CHECK(position.offset <= 150'000);
  host.ack(last);
  tracker.commit(true);
  const auto positions = PositionStore(folder.state()).load();
  REQUIRE(positions.size() == 2);
  CHECK(positions[0].offset == last);
  CHECK(positions[1].offset == 300'000);
}

TEST_CASE("the newest mark is kept when marks are thinned out") {
  const Folder folder;
  write_file(folder / "a", std::string(1000, 'a'));
  const UniqueFd fd(::open((folder / "a").c_str(), O_RDONLY));
  TestHost host("test", folder.state());
  PositionTracker tracker(host.host(), true);
  tracker.load();
  const auto file = tracker.enter("a", 1, fd.get());
  std::uint64_t last = 0;
  std::size_t before = 0;
  do {  // until the one that thins them out
    before = tracker.waiting();
    ++last;
    tracker.emitted_up_to(file, {last, last, {}}, last);
  } while (tracker.waiting() > before);
  host.ack(last);
  tracker.commit(true);
  CHECK(PositionStore(folder.state()).load().at(0).offset == last);
}

TEST_CASE("a state folder that cannot be written costs a warning, not the readings") {
  TestHost host("test", "/nonexistent/folder");
  const Folder folder;
  write_file(folder / "a", std::string(1000, 'a'));
  const UniqueFd fd(::open((folder / "a").c_str(), O_RDONLY));
  PositionTracker tracker(host.host(), true);
  tracker.load();
  const auto file = tracker.enter("a", 1, fd.get());
  tracker.emitted_up_to(file, {100, 1, {}}, 1);
  host.ack(1);
  tracker.commit(true);
  REQUIRE(host.logs().size() == 1);
  CHECK(host.logs()[0].second.find("positions not stored") != std::string::npos);
}
