#include "decode_case.hpp"

#include <unistd.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "byte_input.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

TEST_CASE("a case has all that is said of it") {
  const DecodeCase all = parse_decode_case(
      R"({"topic":"a/b","encoding":"hex","payload":"00 Ff","retain":true,"received_at":"1970-01-01T00:00:01.5Z",)"
      R"("key":"anna"})");
  CHECK(all.topic == "a/b");
  CHECK(all.payload == std::string("\0\xff", 2));
  CHECK(all.retained);
  CHECK(all.received_us == 1'500'000);
  CHECK(all.key == "anna");
}

TEST_CASE("only the payload must be there, and members of one's own may be") {
  for (const char* line :
       {R"({"payload":"x"})", R"( {"payload":"x","id":"case-7","expect":[1],"kind":"own"} )",
        R"({"payload":"x","topic":null,"encoding":null,"retain":null,"received_at":null,"key":null})",
        R"({"payload":"x","encoding":"utf8","retain":false,"topic":""})"}) {
    INFO(line);
    const DecodeCase least = parse_decode_case(line);
    CHECK(least.payload == "x");
    CHECK(least.topic.empty());
    CHECK_FALSE(least.retained);
    CHECK_FALSE(least.received_us);
    CHECK_FALSE(least.key);
  }
  CHECK(parse_decode_case(R"({"payload":"\u0000\u00e4"})").payload == std::string("\0\xc3\xa4", 3));
}

TEST_CASE("a line that is no case says what is wrong") {
  const std::array<std::array<const char*, 2>, 14> wrong = {{
      {"", "there is nothing on it"},
      {"  \r", "there is nothing on it"},
      {R"({"payload":"x")", "no JSON: wrong at byte 15"},
      {R"({"payload":"\ud800"})", "no JSON: wrong at byte"},
      {R"(["x"])", "must be a JSON object"},
      {"{}", R"("payload" is missing)"},
      {R"({"payload":7})", R"("payload" must be a string; found 7)"},
      {R"({"payload":"7","encoding":"hex"})", R"("payload" must be hex text, two digits a byte; found "7")"},
      {R"({"payload":"","encoding":"base64"})", R"("encoding" must be "utf8" or "hex"; found "base64")"},
      {R"({"payload":"","retain":1})", R"("retain" must be true or false; found 1)"},
      {R"({"payload":"","received_at":"now"})",
       R"("received_at" must be a time such as "2026-01-01T00:00:00Z"; found "now")"},
      {R"({"payload":"","topic":"a\u0000"})", R"("topic" must be text without a NUL; found "a\u0000")"},
      {R"({"payload":"","key":{}})", R"("key" must be a string; found {})"},
      {R"({"payload":"","recieved_at":"x"})", R"("recieved_at" is no member of a case; did you mean "received_at"?)"},
  }};
  for (const auto& [line, message] : wrong) {
    INFO(line);
    CHECK_THROWS_WITH(parse_decode_case(line), contains_text(message));
  }
  const std::string lengthy(1000, '9');
  CHECK_THROWS_WITH(parse_decode_case(R"({"payload":[")" + lengthy + R"("]})"),
                    contains_text("found [\"" + lengthy.substr(0, 58) + "..."));
}

TEST_CASE("lines of a file are given one by one, the last one also without its end") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& content) {
    const std::string file = folder.path() / "in";
    std::ofstream(file) << content;
    ByteInput in(file);
    std::vector<std::string> lines;
    for (std::string_view line; in.next_line(line);) lines.emplace_back(line);
    return lines;
  };
  using Lines = std::vector<std::string>;
  CHECK(read("") == Lines{});
  CHECK(read("a\n\nb") == Lines{"a", "", "b"});
  CHECK(read("a\n\n") == Lines{"a", ""});
  const std::string many(700'000, 'x');  // more than is read at once
  CHECK(read(many + "\nb\n" + many) == Lines{many, "b", many});
}

TEST_CASE("a pipe's lines are there before it ends, and the rest is what no line has taken") {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const auto say = [&](std::string_view text) {
    CHECK(write(to.get(), text.data(), text.size()) == ssize_t(text.size()));
  };
  ByteInput in("/proc/self/fd/" + std::to_string(from.get()));
  say("one\ntwo\n");
  std::string_view line;
  REQUIRE(in.next_line(line));
  CHECK(line == "one");
  CHECK(in.has_line());
  REQUIRE(in.next_line(line));
  CHECK_FALSE(in.has_line());
  say("three\nfour");
  REQUIRE(in.next_line(line));
  CHECK(line == "three");
  to = UniqueFd();
  CHECK(in.rest() == "four");
}

TEST_CASE("what cannot be read, or has no end, is an error") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(ByteInput(folder.path() / "none"), std::system_error);
  CHECK_THROWS_AS(ByteInput(folder.path()).rest(), std::system_error);
  CHECK_THROWS_WITH(ByteInput("/dev/zero").rest(), "/dev/zero is longer than 64 MiB, which no payload is");
  std::string_view line;
  CHECK_THROWS_AS(ByteInput("/dev/zero").next_line(line), std::length_error);
}
