// Letters that leave their files or change in them, while others come.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "dead_letters.hpp"
#include "fault_file_io.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

struct Box {
  explicit Box(std::uint64_t bound = 1 << 20)
      : letters(folder.path() / "dead.jsonl", bound, faulty_file_io(faults),
                [this](const std::string& text) { notes.push_back(text); }) {}

  std::uint64_t add(const std::string& payload) {
    if (!letters.append({"s", "source/s", "bad_json", "", "", payload}, error)) throw std::runtime_error(error);
    return letters.last_id();
  }
  bool remove(std::initializer_list<std::uint64_t> ids) {
    DeadLetters::Changes changes;
    for (const std::uint64_t id : ids) changes[id] = std::nullopt;
    return letters.change(changes, error);
  }
  std::vector<std::string> payloads() {
    std::vector<std::string> all;
    StoredLetter letter;
    for (auto reader = letters.read(); reader.next(letter);) all.push_back(letter.payload);
    return all;
  }

  TemporaryFolder folder;
  std::shared_ptr<FileFaults> faults = std::make_shared<FileFaults>();
  std::vector<std::string> notes;
  DeadLetters letters;
  std::string error;
};

using Payloads = std::vector<std::string>;

}  // namespace

TEST_CASE("letters are taken out of both files, and the others stay in order") {
  Box box(4000);
  std::vector<std::uint64_t> ids;
  for (int i = 0; box.letters.stats().evicted == 0; ++i) ids.push_back(box.add(std::to_string(i)));
  const Payloads before = box.payloads();
  REQUIRE(std::filesystem::exists(box.folder.path() / "dead.jsonl.1"));
  const std::uint64_t first = ids[ids.size() - before.size()], last = ids.back();
  REQUIRE(box.remove({1, first, first + 1, last}));  // the first is gone already

  CHECK(box.payloads() == Payloads(before.begin() + 2, before.end() - 1));
  CHECK(box.letters.stats().taken_out == 3);
  std::uint64_t bytes = 0;
  for (const char* name : {"dead.jsonl", "dead.jsonl.1"}) bytes += std::filesystem::file_size(box.folder.path() / name);
  CHECK(box.letters.stats().bytes == bytes);
}

TEST_CASE("no id is given twice, also when all letters are gone and the agent starts again") {
  Box box;
  CHECK(box.add("a") == 1);
  CHECK(box.add("b") == 2);
  REQUIRE(box.remove({1, 2}));
  CHECK(box.payloads().empty());
  const auto file = box.letters.file();
  {
    DeadLetters again(file, 1 << 20);
    CHECK(again.last_id() == 2);
    std::string error;
    REQUIRE(again.append({"s", "source/s", "r", "", "", "c"}, error));
    CHECK(again.last_id() == 3);
  }
  const DeadLetters once_more(file, 1 << 20);
  CHECK(once_more.last_id() == 3);
}

TEST_CASE("a letter that is refused again keeps its id, its place and its time") {
  Box box;
  box.add("a");
  box.add("b");
  box.add("c");
  const std::string line = letter_line({"s", "sink/db", "check_violation", "SQLSTATE 23514: no", "", "b!"},
                                       {2, 1'000'000, 2'000'000}, box.letters.max_payload(), box.letters.max_line());
  REQUIRE(box.letters.change({{2, line}}, box.error));
  CHECK(box.payloads() == Payloads{"a", "b!", "c"});
  auto reader = box.letters.read();
  StoredLetter letter;
  REQUIRE((reader.next(letter) && reader.next(letter)));
  CHECK(letter.id == 2);
  CHECK(letter.time_us == 1'000'000);
  CHECK(letter.refused_again_us == 2'000'000);
  CHECK(letter.sqlstate == "23514");
  CHECK(box.letters.stats().taken_out == 0);
}

TEST_CASE("a change that would break the bound leaves the letter as it was") {
  Box box(8000);
  while (box.letters.stats().bytes < 3800) box.add("x");
  const auto before = box.payloads();
  const std::string line =
      letter_line({"s", "source/s", "r", std::string(1000, 'd'), "", "y"}, {1, 1}, 1000, box.letters.max_line());
  REQUIRE(box.letters.change({{1, line}, {2, std::nullopt}}, box.error));
  CHECK(box.payloads() == Payloads(before.begin() + 1, before.end()));
  CHECK(box.letters.stats().bytes <= 4000);
}

TEST_CASE("letters that come while others are taken out are all there afterwards") {
  Box box(64 << 20);
  constexpr int kEach = 2000;
  std::atomic<bool> ended = false;
  std::thread writer([&] {
    std::string error;
    for (int i = 0; i < kEach; ++i) box.letters.append({"s", "source/s", "r", "", "", "new"}, error);
    ended = true;
  });
  std::uint64_t taken_out = 0;
  for (int turn = 0; !ended || turn < 3; ++turn) {
    DeadLetters::Changes changes;
    StoredLetter letter;
    for (auto reader = box.letters.read(); reader.next(letter);) {
      if (letter.id % 2 == 0) changes[letter.id] = std::nullopt;
    }
    REQUIRE(box.letters.change(changes, box.error));
    taken_out += changes.size();
  }
  writer.join();
  CHECK(box.letters.stats().taken_out == taken_out);
  std::vector<std::uint64_t> ids;
  StoredLetter letter;
  for (auto reader = box.letters.read(); reader.next(letter);) {
    if (letter.id % 2 == 1) ids.push_back(letter.id);
  }
  CHECK(ids.size() == kEach / 2);
}

TEST_CASE("a reader that began before a change sees every letter once") {
  Box box;
  for (int i = 0; i < 10; ++i) box.add(std::to_string(i));
  auto reader = box.letters.read();
  StoredLetter letter;
  REQUIRE(reader.next(letter));
  REQUIRE(box.remove({5, 6}));
  box.add("later");
  Payloads seen = {letter.payload};
  while (reader.next(letter)) seen.push_back(letter.payload);
  CHECK(seen == Payloads{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TEST_CASE("a change that fails at any step costs no letter, and the next one succeeds") {
  for (const char* operation : {"open", "write", "sync", "rename", "sync_folder"}) {
    for (const bool first : {true, false}) {  // the first one stores which ids are taken, too
      INFO(operation << (first ? ", first change" : ", later change"));
      Box box;
      for (const char* each : {"a", "b", "long c", "d"}) box.add(each);
      if (!first) REQUIRE(box.remove({4}));
      box.faults->fail(operation, EIO, std::string(operation) == "sync_folder" ? "" : "dead.jsonl.tmp");
      CHECK_FALSE(box.remove({2, 4}));
      CHECK_THAT(box.error, contains_text("cannot"));
      box.faults->clear();
      const auto kept = box.payloads();
      CHECK(std::count(kept.begin(), kept.end(), "a") + std::count(kept.begin(), kept.end(), "long c") == 2);
      REQUIRE(box.remove({2, 3, 4}));  // less is left than what the failed one wrote
      box.add("e");
      CHECK(box.payloads() == Payloads{"a", "e"});
      CHECK(box.letters.sync());
      auto reader = box.letters.read();
      for (StoredLetter letter; reader.next(letter);) continue;
      CHECK(reader.damaged() == 0);
    }
  }
}

TEST_CASE("what is no letter stays where it is and is counted") {
  Box box;
  box.add("a");
  std::ofstream(box.letters.file(), std::ios::app) << "no json\n{\"id\":7}\n{\"id\":x\n";
  DeadLetters again(box.letters.file(), 1 << 20);
  std::string error;
  REQUIRE(again.append({"s", "source/s", "r", "", "", "b"}, error));
  REQUIRE(again.change({{1, std::nullopt}}, error));
  StoredLetter letter;
  auto reader = again.read();
  REQUIRE(reader.next(letter));
  CHECK(letter.payload == "b");
  CHECK(letter.id == 8);
  CHECK_FALSE(reader.next(letter));
  CHECK(reader.damaged() == 3);
}

TEST_CASE("what a crash in the middle of a change leaves behind is no letter") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "dead.jsonl";
  std::string error;
  {
    DeadLetters letters(file, 1 << 20);
    REQUIRE(letters.append({"s", "source/s", "r", "", "", "a"}, error));
  }
  std::ofstream(file.string() + ".tmp") << std::string(10'000, 'x') << '\n';
  DeadLetters letters(file, 1 << 20);
  CHECK_FALSE(std::filesystem::exists(file.string() + ".tmp"));
  REQUIRE(letters.append({"s", "source/s", "r", "", "", "b"}, error));
  REQUIRE(letters.change({{1, std::nullopt}}, error));
  StoredLetter letter;
  auto reader = letters.read();
  REQUIRE(reader.next(letter));
  CHECK(letter.payload == "b");
  CHECK_FALSE(reader.next(letter));
  CHECK(reader.damaged() == 0);
}

TEST_CASE("a letter keeps its record's key, and what a source has cut itself counts as cut") {
  Box box;
  std::string error;
  DeadLetter letter{"s", "source/s", "r", "", "t[0]@1", "v"};
  letter.key = std::string_view("\xff\0k", 3);
  REQUIRE(box.letters.append(letter, error));
  letter.key = "";
  letter.original_size = 100;
  letter.received_us = 5'000'000;
  REQUIRE(box.letters.append(letter, error));
  box.add("none");
  auto reader = box.letters.read();
  StoredLetter kept;
  REQUIRE(reader.next(kept));
  CHECK(kept.key == std::string("\xff\0k", 3));
  CHECK_FALSE(kept.truncated);
  REQUIRE(reader.next(kept));
  CHECK(kept.key == "");
  CHECK(kept.truncated);
  CHECK(kept.size() == 100);
  CHECK(kept.received_us == 5'000'000);
  REQUIRE(reader.next(kept));
  CHECK_FALSE(kept.key);
}

TEST_CASE("letters go on under the old name when somebody moves, removes or replaces the file") {
  const std::string how = GENERATE("moved", "removed", "replaced", "rotated");
  INFO(how);
  Box box;
  box.add("a");
  box.add("b");
  const auto file = box.letters.file();
  if (how == "moved") std::filesystem::rename(file, file.string() + ".moved");
  if (how == "removed") std::filesystem::remove(file);
  if (how == "replaced") {
    std::filesystem::copy_file(file, file.string() + ".copy");
    std::filesystem::rename(file.string() + ".copy", file);
  }
  if (how == "rotated") std::filesystem::rename(file, file.string() + ".1");
  CHECK(box.add("c") == 3);
  CHECK(box.letters.sync());
  const bool kept = how == "replaced" || how == "rotated";
  CHECK(box.payloads() == (kept ? Payloads{"a", "b", "c"} : Payloads{"c"}));
  REQUIRE(box.notes.size() == 1);
  CHECK_THAT(box.notes[0], contains_text(file.string() + (how == "replaced" ? " was replaced" : " was moved away")));
  CHECK(box.letters.stats().bytes ==
        std::filesystem::file_size(file) + (how == "rotated" ? std::filesystem::file_size(file.string() + ".1") : 0));
  box.add("d");
  CHECK(box.notes.size() == 1);
}

TEST_CASE("letters go on at the new end of a file that somebody shortens") {
  Box box;
  box.add("a");
  box.add("b");
  const auto whole = std::filesystem::file_size(box.letters.file());
  const bool emptied = GENERATE(true, false);
  std::filesystem::resize_file(box.letters.file(), emptied ? 0 : whole - 3);  // within the second letter
  CHECK(box.add("c") == 3);
  CHECK(box.payloads() == (emptied ? Payloads{"c"} : Payloads{"a", "c"}));
  auto reader = box.letters.read();
  for (StoredLetter letter; reader.next(letter);) continue;
  CHECK(reader.damaged() == 0);
  REQUIRE(box.notes.size() == 1);
  CHECK_THAT(box.notes[0], contains_text("was shortened from " + std::to_string(whole)));
}

TEST_CASE("letters of another file's making are kept, and their ids are not given again") {
  Box box;
  box.add("a");
  std::ofstream(box.letters.file(), std::ios::app)
      << letter_line({"s", "source/s", "r", "", "", "foreign"}, {9, 1}, 1000, 1000) << "torn";
  CHECK(box.add("b") == 10);
  CHECK(box.payloads() == Payloads{"a", "foreign", "b"});
}

TEST_CASE("the ids of letters that somebody removes are given to nobody, also at the next start") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "dead.jsonl";
  std::string error;
  {
    DeadLetters letters(file, 1 << 20);
    for (int i = 0; i < 3; ++i) REQUIRE(letters.append({"s", "source/s", "r", "", "", "a"}, error));
    std::filesystem::remove(file);
  }
  CHECK(DeadLetters(file, 1 << 20).last_id() == 3);
}

TEST_CASE("a change brings no letter back that somebody has moved away") {
  Box box;
  box.add("a");
  box.add("b");
  std::filesystem::rename(box.letters.file(), box.folder.path() / "moved");
  REQUIRE(box.remove({2}));
  CHECK(box.payloads().empty());
  CHECK(box.add("c") == 3);
  CHECK(box.payloads() == Payloads{"c"});
  CHECK(box.notes.size() == 1);
}

TEST_CASE("a predecessor that somebody removes holds up no letter") {
  Box box(4000);
  while (box.letters.stats().evicted == 0) box.add("x");
  const auto evicted = box.letters.stats().evicted;
  std::filesystem::remove(box.letters.file().string() + ".1");
  REQUIRE(box.remove({box.letters.last_id()}));
  for (int i = 0; i < 100; ++i) box.add("y");
  CHECK(box.letters.stats().evicted > evicted);
  CHECK(box.notes.size() == 1);
}

TEST_CASE("a file that cannot be begun again refuses letters until it can be") {
  Box box;
  box.add("a");
  std::filesystem::remove(box.letters.file());
  box.faults->fail("open", EACCES, "dead.jsonl");
  CHECK_THROWS_WITH(box.add("b"), contains_text("cannot open"));
  CHECK(box.letters.stats().failing);
  box.faults->clear();
  CHECK(box.add("c") == 2);
  CHECK(box.payloads() == Payloads{"c"});
}

TEST_CASE("a change that fails leaves nothing behind that fills the disk") {
  for (const char* operation : {"write", "sync", "rename"}) {
    for (const bool first : {true, false}) {  // the first one fails as it stores the next id
      INFO(operation << (first ? ", first change" : ", later change"));
      Box box;
      box.add("a");
      box.add("b");
      box.add("c");  // there is something to write
      if (!first) REQUIRE(box.remove({2}));
      box.faults->fail(operation, ENOSPC, "dead.jsonl.tmp");
      CHECK_FALSE(box.remove({1}));
      CHECK_FALSE(std::filesystem::exists(box.letters.file().string() + ".tmp"));
    }
  }
}

TEST_CASE("a change whose new name may not survive power loss is not safe until it does") {
  Box box;
  box.add("a");
  REQUIRE(box.remove({99}));  // stores the next id
  box.faults->fail("sync_folder", EIO);
  CHECK_FALSE(box.remove({1}));
  CHECK_FALSE(box.letters.sync());
  CHECK(box.letters.stats().failing);
  box.faults->clear();
  CHECK(box.letters.sync());
  CHECK_FALSE(box.letters.stats().failing);
}

namespace {

// Waits within the sync of a file that is to take another's place.
class SlowDisk final : public FileIo {
 public:
  struct Gate {
    std::atomic<bool> reached = false;
    std::atomic<bool> open = false;
  };
  explicit SlowDisk(Gate& gate) : gate_(gate) {}

  UniqueFd open(const std::filesystem::path& file, bool create) override { return real_->open(file, create); }
  void allocate(int fd, std::uint64_t size, const std::filesystem::path& file) override {
    real_->allocate(fd, size, file);
  }
  void write(int fd, std::span<const iovec> parts, std::uint64_t offset, const std::filesystem::path& file) override {
    real_->write(fd, parts, offset, file);
  }
  std::size_t read(int fd, void* to, std::size_t size, std::uint64_t offset,
                   const std::filesystem::path& file) override {
    return real_->read(fd, to, size, offset, file);
  }
  void sync(int fd, const std::filesystem::path& file) override {
    if (file.extension() == ".tmp") {
      gate_.reached = true;
      gate_.reached.notify_all();
      gate_.open.wait(false);
    }
    real_->sync(fd, file);
  }
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override { real_->rename(from, to); }
  void remove(const std::filesystem::path& file) override { real_->remove(file); }
  void sync_folder(const std::filesystem::path& folder) override { real_->sync_folder(folder); }

 private:
  Gate& gate_;
  std::unique_ptr<FileIo> real_ = make_posix_file_io();
};

}  // namespace

TEST_CASE("the figures wait for no change, however slow the disk is") {
  const TemporaryFolder folder;
  SlowDisk::Gate gate;
  DeadLetters letters(folder.path() / "dead.jsonl", 1 << 20, std::make_unique<SlowDisk>(gate));
  std::string error;
  REQUIRE(letters.append({"s", "source/s", "r", "", "", "a"}, error));
  auto changed = std::async(std::launch::async, [&] {
    std::string why;
    return letters.change({{1, std::nullopt}}, why);
  });
  gate.reached.wait(false);
  auto figures = std::async(std::launch::async, [&] { return letters.stats(); });
  const bool at_once = figures.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  gate.open = true;
  gate.open.notify_all();
  CHECK(at_once);
  CHECK(figures.get().written == 1);
  CHECK(changed.get());
  CHECK(letters.stats().taken_out == 1);
  CHECK(letters.stats().bytes == 0);
}
