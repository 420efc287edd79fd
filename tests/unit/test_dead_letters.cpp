#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "dead_letters.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using hbagent::DeadLetter;
using hbagent::DeadLetters;

namespace {

std::vector<nlohmann::json> lines_of(const std::filesystem::path& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

bool append(DeadLetters& letters, std::string_view payload, std::string_view reason = "bad_json") {
  std::string error;
  return letters.append({"ward-3", "source/ward-3", reason, "no colon", "t[0]@7", payload}, error);
}

}  // namespace

TEST_CASE("a dead letter keeps source, reason, origin and its original bytes") {
  const TemporaryFolder folder;
  DeadLetters letters(folder.path() / "dead.jsonl", 1 << 20);
  REQUIRE(append(letters, "{\"a\" 1}\n"));
  REQUIRE(append(letters, std::string_view("\x00\xff\x01", 3)));
  REQUIRE(append(letters, "\xc3\x28"));
  REQUIRE(letters.sync());

  const auto lines = lines_of(letters.file());
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["source"] == "ward-3");
  CHECK(lines[0]["instance"] == "source/ward-3");
  CHECK(lines[0]["reason"] == "bad_json");
  CHECK(lines[0]["detail"] == "no colon");
  CHECK(lines[0]["origin"] == "t[0]@7");
  CHECK(lines[0]["payload"] == "{\"a\" 1}\n");
  CHECK(lines[1]["payload_base64"] == "AP8B");
  CHECK(lines[2]["payload_base64"] == "wyg=");
}

TEST_CASE("dead letters stay within their bound, and what the bound pushes out is counted") {
  const TemporaryFolder folder;
  constexpr std::uint64_t kBound = 20'000;
  DeadLetters letters(folder.path() / "dead.jsonl", kBound);
  for (int i = 0; i < 1000; ++i) REQUIRE(append(letters, std::to_string(i)));

  const auto stats = letters.stats();
  CHECK(stats.written == 1000);
  CHECK(stats.bytes <= kBound);
  const auto kept = lines_of(folder.path() / "dead.jsonl").size() + lines_of(folder.path() / "dead.jsonl.1").size();
  CHECK(stats.evicted + kept == 1000);
  CHECK(lines_of(letters.file()).back()["payload"] == "999");
}

TEST_CASE("what is larger than its share is cut, with its size, and the bound holds whatever comes") {
  const TemporaryFolder folder;
  constexpr std::uint64_t kBound = 64 << 10;
  DeadLetters letters(folder.path() / "dead.jsonl", kBound);
  std::string binary, quotes(3'700'000, '"');
  for (int i = 0; i < 100'000; ++i) binary += static_cast<char>(i);
  std::string umlauts = "x";
  while (umlauts.size() < 50'000) umlauts += "\xc3\xa4";
  for (const std::string& payload : {std::string(3'700'000, 'y'), binary, umlauts, quotes, std::string("small")}) {
    REQUIRE(append(letters, payload));
    CHECK(letters.stats().bytes <= kBound);
  }
  std::map<std::uint64_t, hbagent::StoredLetter> kept;
  hbagent::StoredLetter letter;
  for (auto reader = letters.read(); reader.next(letter);) kept[letter.id] = letter;
  REQUIRE(kept.size() == 5);
  for (const std::uint64_t id : {1U, 2U, 3U, 4U}) {
    INFO(id);
    CHECK(kept[id].truncated);
    CHECK(kept[id].payload.size() <= kBound / 8);
  }
  CHECK(kept[1].original_size == 3'700'000);
  CHECK(kept[2].payload == binary.substr(0, kBound / 8));
  CHECK(kept[3].payload == umlauts.substr(0, kBound / 8 - 1));  // a character of two bytes does not end there
  CHECK_FALSE(kept[5].truncated);
  CHECK(kept[5].size() == 5);
}

TEST_CASE("a letter whose every part is as large as can be stays within half of the bound") {
  const TemporaryFolder folder;
  constexpr std::uint64_t kBound = 64 << 10;
  DeadLetters letters(folder.path() / "dead.jsonl", kBound);
  const std::string noise(100'000, '\x01'), quotes(100'000, '"');
  std::string error;
  REQUIRE(letters.append({"s", "source/s", "r", noise, noise, quotes, quotes}, error));
  CHECK(letters.stats().bytes <= kBound / 2);
  hbagent::StoredLetter letter;
  REQUIRE(letters.read().next(letter));
  CHECK(letter.truncated);
  CHECK(letter.size() == quotes.size());
  CHECK(quotes.starts_with(letter.payload));
}

TEST_CASE("a file of an earlier run with a larger bound does not break the bound") {
  const TemporaryFolder folder;
  {
    DeadLetters letters(folder.path() / "dead.jsonl", 1 << 20);
    for (int i = 0; i < 600; ++i) REQUIRE(append(letters, std::string(1000, 'x')));
  }
  DeadLetters letters(folder.path() / "dead.jsonl", 64 << 10);
  REQUIRE(append(letters, "last"));
  CHECK(letters.stats().bytes <= 64 << 10);
  CHECK(letters.stats().evicted + lines_of(letters.file()).size() == 601);
}

TEST_CASE("the SQLSTATE of a refused row stands alone where the detail begins with one") {
  const TemporaryFolder folder;
  DeadLetters letters(folder.path() / "dead.jsonl", 1 << 20);
  std::string error;
  for (const char* detail : {"SQLSTATE 23514: violates", "SQLSTATE none: lost", "no SQLSTATE 23514: x",
                             "SQLSTATE 22P02", "SQLSTATE 235141: x"}) {
    REQUIRE(letters.append({"s", "sink/db", "r", detail, "", "{}"}, error));
  }
  const auto lines = lines_of(letters.file());
  CHECK(lines[0]["sqlstate"] == "23514");
  CHECK(lines[0]["detail"] == "SQLSTATE 23514: violates");
  CHECK_FALSE(lines[1].contains("sqlstate"));
  CHECK_FALSE(lines[2].contains("sqlstate"));
  CHECK(lines[3]["sqlstate"] == "22P02");
  CHECK_FALSE(lines[4].contains("sqlstate"));
}

TEST_CASE("a rotation that fails half way costs no letters") {
  const TemporaryFolder folder;
  DeadLetters letters(folder.path() / "dead.jsonl", 2'000);
  std::uint64_t written = 0;
  // The next one does not fit.
  while (letters.stats().bytes < 900) {
    REQUIRE(append(letters, std::to_string(written)));
    ++written;
  }
  // UBSan looks at a class that it does not know yet through a pipe; below there can be none.
  const auto text_of = [](const std::exception& error) { return std::string(error.what()); };
  REQUIRE_FALSE(text_of(std::system_error(EMFILE, std::generic_category())).empty());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = dup(STDERR_FILENO);
  close(next);
  rlimit none_more = before;
  none_more.rlim_cur = static_cast<rlim_t>(next);  // the new file takes the old one's place, its folder finds none
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none_more) == 0);
  const bool refused = !append(letters, std::string(200, 'x')) && !append(letters, std::string(200, 'x'));
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(refused);

  REQUIRE(append(letters, "last"));
  CHECK(lines_of(folder.path() / "dead.jsonl.1").size() == written);
  CHECK(lines_of(letters.file()).size() == 1);
  CHECK(letters.stats().evicted == 0);
}

TEST_CASE("a line torn by a crash is cut off, and the letters before it stay") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "dead.jsonl";
  {
    DeadLetters letters(file, 1 << 20);
    append(letters, "first");
  }
  std::ofstream(file, std::ios::app) << "{\"time\":\"2026-";
  DeadLetters letters(file, 1 << 20);
  append(letters, "second");
  const auto lines = lines_of(file);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["payload"] == "first");
  CHECK(lines[1]["payload"] == "second");
}

TEST_CASE("a dead letter that cannot be written is refused, leaves no half line, and the next one is whole") {
  const TemporaryFolder folder;
  DeadLetters letters(folder.path() / "dead.jsonl", 1 << 20);
  REQUIRE(append(letters, "first"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{letters.stats().bytes + 40, before.rlim_max};  // room for a part of the next line
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string error;
  const bool taken = letters.append({"s", "source/s", "r", "", "", "second"}, error);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);

  CHECK_FALSE(taken);
  CHECK_THAT(error, contains_text("cannot write") && contains_text("File too large"));
  CHECK(letters.stats().failing);
  CHECK(letters.stats().written == 1);
  REQUIRE(append(letters, "third"));
  CHECK_FALSE(letters.stats().failing);
  const auto lines = lines_of(letters.file());
  REQUIRE(lines.size() == 2);
  CHECK(lines[1]["payload"] == "third");
}

TEST_CASE("what is no regular file is refused") {
  CHECK_THROWS_WITH(DeadLetters("/dev/full", 1 << 20), contains_text("is no regular file"));
}
