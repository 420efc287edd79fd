#include <functional>
#include <random>

#include "line_reader.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"
#include "unique_fd.hpp"

using namespace hb::file;
using namespace hb::file::test;

namespace {

struct Read {
  std::string text;
  std::uint64_t begin, end, number;
  bool too_long;
  bool operator==(const Read&) const = default;
};

std::vector<Read> read_all(LineReader& reader, const std::function<void(Line&)>& after_line = {}) {
  std::vector<Read> lines;
  Line line;
  const auto keep = [&] {
    lines.push_back({std::string(line.text), line.begin, line.end, line.number, line.too_long});
    if (after_line) after_line(line);
  };
  do {
    while (reader.next(line)) keep();
  } while (reader.fill() > 0);
  while (reader.next(line) || reader.rest(line)) keep();
  return lines;
}

// The same, the slow and obvious way.
std::vector<Read> reference(const std::string& text, std::size_t max_line) {
  std::vector<Read> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    const std::size_t end = newline == std::string::npos ? text.size() : newline + 1;
    std::string line = text.substr(begin, (newline == std::string::npos ? end : newline) - begin);
    // An over-long line is recognised before its end is seen, which may then turn out to be CRLF.
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const bool too_long = line.size() > max_line;
    lines.push_back({line.substr(0, max_line), begin, end, lines.size() + 1, too_long});
    begin = end;
  }
  return lines;
}

}  // namespace

TEST_CASE("lines come out the same whatever the size of the chunks") {
  const Folder folder;
  std::mt19937 random(20261122);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const auto lines = random() % 40;
    for (unsigned i = 0; i < lines; ++i) {
      text += std::string(random() % 8 == 0 ? random() % 300 : random() % 30, static_cast<char>('a' + i % 26));
      text += random() % 4 == 0 ? "\r\n" : "\n";
    }
    if (random() % 2 == 0) text += "rest";
    const std::string path = folder / "lines";
    write_file(path, text);
    const std::size_t max_line = 64;
    const std::size_t chunk = 1 + random() % 200;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY));
    LineReader reader(max_line, chunk);
    reader.start(fd.get(), random() % 2 == 0, 0, 0);
    INFO("round " << round << " chunk " << chunk);
    REQUIRE(read_all(reader) == reference(text, max_line));
  }
}

TEST_CASE("an unread line comes again, and nothing else is lost") {
  const Folder folder;
  const std::string text = "one\n" + std::string(500, 'x') + "\nthree\nrest";
  write_file(folder / "lines", text);
  for (const std::size_t chunk : {3U, 64U, 4096U}) {
    const UniqueFd fd(::open((folder / "lines").c_str(), O_RDONLY));
    LineReader reader(50, chunk);
    reader.start(fd.get(), false, 0, 0);
    std::uint64_t unread = 0;
    const auto lines = read_all(reader, [&](Line& line) {
      if (line.number <= unread) return;
      unread = line.number;
      reader.unread(line);
    });
    const auto expected = reference(text, 50);
    INFO("chunk " << chunk);
    REQUIRE(lines.size() == 2 * expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(lines[2 * i] == expected[i]);
      CHECK(lines[2 * i + 1] == expected[i]);
    }
  }
}

TEST_CASE("a released buffer costs nothing: the unfinished line is read again") {
  const Folder folder;
  const std::string path = folder / "lines";
  write_file(path, "one\ntw");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY));
  LineReader reader(50, 4096);
  reader.start(fd.get(), false, 0, 0);
  Line line;
  reader.fill();
  REQUIRE(reader.next(line));
  REQUIRE_FALSE(reader.next(line));
  reader.release();
  CHECK_FALSE(reader.has_rest());
  append_file(path, "o\n");
  reader.fill();
  REQUIRE(reader.next(line));
  CHECK(line.text == "two");
  CHECK(line.begin == 4);
  CHECK(line.number == 2);
}
