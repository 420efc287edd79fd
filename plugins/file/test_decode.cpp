// The source `file`: lines that come back as dead letters are decoded as they were in their file.
#include "file_source.hpp"
#include "origin.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::codec::TimeFormat;
using hb::testing::TestDecode;
using hb::testing::TestHost;

namespace {

// Reads a file to its end, then decodes each of its dead letters with a configuration that was mended.
struct Mended {
  explicit Mended(const std::string& name) { config.path = folder / name; }

  std::vector<hb::testing::RecordedLetter> letters() {
    TestHost host("test", folder.state());
    host.ack_at_once(true);
    FileSource source(config, host.host());
    source.open();
    source.run();
    source.close();
    return host.letters();
  }
  hb::DecodeInput input(const hb::testing::RecordedLetter& letter) const {
    hb::DecodeInput input;
    input.payload = letter.payload;
    input.key = letter.key;
    input.origin = letter.origin;
    input.received_us = 77;
    return input;
  }
  // "id time_us heart_rate", or "reason bytes".
  std::vector<std::string> decode(const std::vector<hb::testing::RecordedLetter>& letters) {
    TestHost host;  // no state folder, and never opened
    FileSource source(config, host.host());
    std::vector<std::string> all;
    for (const auto& letter : letters) {
      const TestDecode decoded(source, input(letter));
      for (const auto& reading : decoded.readings) {
        CHECK(reading.received_us == 77);
        all.push_back(std::string(hb::customer_id(reading)) + ' ' + std::to_string(reading.time_us) + ' ' +
                      std::to_string(reading.heart_rate));
      }
      for (const auto& refusal : decoded.refusals) all.push_back(refusal.reason + ' ' + refusal.bytes);
    }
    return all;
  }

  Folder folder;
  FileSource::Config config;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("lines of a CSV whose time was not understood are decoded once the format is right") {
  Mended mended("{customer_id}.csv");
  write_file(mended.folder / "anna.csv", "time,bpm\n1700000000,60\n1700000001,x\n");
  write_file(mended.folder / "bert.csv", "bpm,time\n62,1700000002\n");
  mended.config.heart_rate.header = "bpm";
  const auto letters = mended.letters();
  REQUIRE(letters.size() == 3);
  CHECK(letters[0].reason == "bad_time");
  mended.config.time.format = TimeFormat::epoch_s;
  mended.config.time.numeric_strings = true;
  CHECK(mended.decode(letters) ==
        Texts{"anna 1700000000000000 60", "not_a_number 1700000001,x", "bert 1700000002000000 62"});
}

TEST_CASE("an element of a line is decoded alone, with the customer that stood around it") {
  Mended mended("a.jsonl");
  write_file(mended.config.path,
             "{\"user\":\"u1\",\"data\":[{\"t\":1700000000,\"bpm\":60},{\"t\":1700000001,\"hr\":61},{\"bpm\":62}]}\n"
             "{\"user\":\"u2\",\"data\":{}}\n");
  mended.config.each = "/data";
  mended.config.customer_id.pointer = "/user";
  mended.config.customer_id.scope = hb::codec::Scope::root;
  mended.config.time.pointer = "/t";
  mended.config.time.format = TimeFormat::epoch_s;
  mended.config.heart_rate.pointers = {"/bpm"};
  const auto letters = mended.letters();
  REQUIRE(letters.size() == 3);
  CHECK(letters[0].origin == mended.config.path + ":1#2");
  CHECK(letters[0].key == "u1");
  CHECK(letters[2].origin == mended.config.path + ":2");
  mended.config.heart_rate.pointers = {"/bpm", "/hr"};
  CHECK(mended.decode(letters) == Texts{"u1 1700000001000000 61", "missing_time {\"bpm\":62}",
                                        "missing_heart_rate {\"user\":\"u2\",\"data\":{}}"});
}

TEST_CASE("what comes of one input is told in its order") {
  Mended mended("a.jsonl");
  mended.config.each = "";
  mended.config.heart_rate.pointer = "/hr";
  mended.config.time.from = hb::codec::TimeFrom::receive;
  mended.config.customer_id.pointer = "/id";
  TestHost host;
  FileSource source(mended.config, host.host());
  hb::DecodeInput input;
  input.payload = R"([{"id":"a","hr":1},{"id":"b"},{"id":"c","hr":0},{"id":"d","hr":4}])";
  std::string order;
  hb_decode_output raw{};
  raw.size = sizeof raw;
  raw.context = &order;
  raw.reading = [](void* to, const hb_reading* reading) { *static_cast<std::string*>(to) += reading->customer_id; };
  raw.refuse = [](void* to, std::int32_t verdict, const char*, const char*, const void*, std::uint64_t) {
    *static_cast<std::string*>(to) += verdict == HB_VERDICT_REJECT ? '!' : '0';
  };
  source.decode(input, hb::DecodeOutput(raw));
  CHECK(order == "a!0d");
}

TEST_CASE("lines are decoded each by itself, as they are in a file") {
  Mended mended("a.jsonl");
  mended.config.time.from = hb::codec::TimeFrom::receive;
  mended.config.max_line = hb::Bytes{64};
  TestHost host;
  FileSource source(mended.config, host.host());
  const auto decode = [&](std::string_view payload) {
    hb::DecodeInput input;
    input.payload = payload;
    input.received_us = 77;
    const TestDecode decoded(source, input);
    std::string all;
    for (const auto& reading : decoded.readings) {
      CHECK(reading.time_us == reading.received_us);
      all += std::string(hb::customer_id(reading)) + std::to_string(reading.time_us) + ' ';
    }
    for (const auto& refusal : decoded.refusals) all += refusal.reason + ':' + refusal.bytes + ' ';
    return all;
  };
  const std::string a = R"({"customer_id":"a","heart_rate":1})", b = R"({"customer_id":"b","heart_rate":1})";
  CHECK(decode(a + "\r\n \n\n" + b + "\n") == "a77 b78 ");
  CHECK(decode("x\r\n" + b) == "b77 bad_json:x ");
  CHECK(decode(R"({"customer_id":"a",)"
               "\n"
               R"("heart_rate":1})")
            .find("bad_json") == 0);
  CHECK(decode(std::string(65, 'x') + "\n" + a + "\n") == "a77 too_large:" + std::string(65, 'x') + ' ');
  CHECK(decode("\n").empty());
}

TEST_CASE("an over-long line says that it is cut, and how long it was") {
  Mended mended("a.jsonl");
  write_file(mended.config.path, std::string(1000, 'x') + "\n");
  mended.config.max_line = hb::Bytes{100};
  const auto letters = mended.letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].payload.size() == 100);
  CHECK(letters[0].original_size == 1001);
}

TEST_CASE("what is needed for a line and is not there is named") {
  Mended mended("{customer_id}.csv");
  write_file(mended.folder / "anna.csv", "time,heart_rate\nnever,60\n");
  const auto letters = mended.letters();
  REQUIRE(letters.size() == 1);
  TestHost host;
  FileSource source(mended.config, host.host());
  SECTION("the file is gone, and its header with it") {
    std::filesystem::remove(mended.folder / "anna.csv");
    CHECK_THROWS_AS(TestDecode(source, mended.input(letters[0])), hb::Retry);
    write_file(mended.folder / "anna.csv", "time,heart_rate\n");
    CHECK(TestDecode(source, mended.input(letters[0])).refusals.size() == 1);
  }
  SECTION("the path means other files now") {
    auto letter = letters[0];
    letter.origin = "/elsewhere/anna.txt:2";
    CHECK_THROWS_WITH(TestDecode(source, mended.input(letter)), contains_text("is none of the files"));
  }
  SECTION("a line of no file") {
    hb::DecodeInput input;
    input.payload = "1970-01-01T00:00:01Z,50";
    CHECK_THROWS_WITH(TestDecode(source, input), contains_text("say which one"));
    const std::string path = mended.folder / "anna.csv";
    input.topic = path;
    CHECK(TestDecode(source, input).readings.size() == 1);
  }
}

TEST_CASE("an origin is read back, also with colons and hashes in the name") {
  for (const Origin& origin : {Origin{"a.csv", 17, 0}, Origin{"/x:1/b#2.jsonl", 1, 3}, Origin{"-", 5, 0}}) {
    const auto back = Origin::parse(origin.text());
    REQUIRE(back);
    CHECK(back->path == origin.path);
    CHECK(back->line == origin.line);
    CHECK(back->element == origin.element);
  }
  for (const char* wrong : {"", "a.csv", "a.csv:", "a.csv:x", "a.csv:0", "a.csv:1#", "a.csv:1#0", "a.csv:1#x"}) {
    INFO(wrong);
    CHECK_FALSE(Origin::parse(wrong));
  }
}
