// The source `file`: where in a line, or in the file's name, a reading's parts are found.
#include <algorithm>
#include <functional>

#include "file_source.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::codec::CustomerFrom;
using hb::codec::TimeFormat;
using hb::codec::TimeFrom;
using hb::testing::TestHost;

namespace {

class Source {
 public:
  explicit Source(const std::string& name) { config.path = folder / name; }
  void run() {
    host.ack_at_once(true);
    FileSource source(config, host.host());
    source.open();
    source.run();
    source.close();
  }
  // "id time_us heart_rate" of every reading.
  std::vector<std::string> rows() const {
    std::vector<std::string> rows;
    for (const auto& reading : host.readings()) {
      rows.push_back(std::string(hb::customer_id(reading)) + ' ' + std::to_string(reading.time_us) + ' ' +
                     std::to_string(reading.heart_rate));
    }
    return rows;
  }
  std::vector<std::string> reasons() const {
    std::vector<std::string> reasons;
    for (const auto& letter : host.letters()) reasons.push_back(letter.reason + ' ' + letter.payload);
    return reasons;
  }
  Folder folder;
  FileSource::Config config;
  TestHost host{"test", folder.state()};
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("columns by number, without a header, another separator, a customer by constant") {
  Source source("a.txt");
  write_file(source.config.path, "1622548800;75;x\n1622548840;79.5;x\n1622548841;0;x\n1622548842;80\n");
  source.config.decoder = LineFormat::csv;
  source.config.header = false;
  source.config.separator = ";";
  source.config.customer_id.constant = "strap-7";
  source.config.time.column = 0;
  source.config.time.format = TimeFormat::epoch_s;
  source.config.heart_rate.column = 1;
  SECTION("the mapped columns must be all there are") {
    source.run();
    CHECK(source.rows() == Texts{"strap-7 1622548842000000 80"});
    CHECK(source.reasons() == Texts{"bad_csv 1622548800;75;x", "bad_csv 1622548840;79.5;x", "bad_csv 1622548841;0;x"});
  }
  SECTION("a header line is passed over") {
    write_file(source.config.path, "when;bpm\n1622548842;80\n");
    source.config.header = true;
    source.run();
    CHECK(source.rows() == Texts{"strap-7 1622548842000000 80"});
    CHECK(source.reasons().empty());
  }
}

TEST_CASE("columns by their names, in any order among others, with the names left out being the usual ones") {
  Source source("a.csv");
  write_file(source.config.path, "bpm,note,ms,customer_id\n61,x,1700000000123,b\n62,\"y,z\",1700000001000,c\n,x,1,d\n");
  source.config.heart_rate.header = "bpm";
  source.config.time.header = "ms";
  source.config.time.format = TimeFormat::epoch_ms;
  source.run();
  CHECK(source.rows() == Texts{"b 1700000000123000 61", "c 1700000001000000 62"});
  CHECK(source.reasons().empty());
  CHECK(source.host.discarded() == std::map<std::string, std::uint64_t>{{"no_measurement", 1}});

  append_file(source.config.path, "63,x,1700000002000,e\n");
  source.run();
  CHECK(source.rows().size() == 3);
  CHECK(source.rows().back() == "e 1700000002000000 63");
}

TEST_CASE("the plain layout reads flags and leaves other columns alone") {
  Source source("a.csv");
  write_file(source.config.path,
             "received_at,flags,heart_rate,customer_id,time,room\n"
             ",high|jump|new,150,a,2023-11-14T22:13:20.5+01:00,7\n"
             ",, 60 ,b, 2023-11-14T22:13:20Z ,7\n"
             ",,60,,2023-11-14T22:13:20Z,7\n"
             ",,60,\xff,2023-11-14T22:13:20Z,7\n"
             ",,60,c,,7\n");
  source.run();
  CHECK(source.rows() == Texts{"a 1699996400500000 150", "b 1700000000000000 60"});
  CHECK(source.host.readings().at(0).flags == (HB_FLAG_HIGH | HB_FLAG_JUMP));
  CHECK(source.host.readings().at(1).flags == 0);
  REQUIRE(source.host.letters().size() == 3);
  CHECK(source.host.letters()[0].reason == "missing_customer_id");
  CHECK(source.host.letters()[1].reason == "bad_customer_id");
  CHECK(source.host.letters()[2].reason == "missing_time");
}

TEST_CASE("JSON by pointers, several readings a line, each judged for itself") {
  Source source("a.jsonl");
  const std::string good = R"({"user":"u1","data":[{"t":1700000000,"bpm":60},{"t":1700000001,"bpm":0},)"
                           R"({"t":1700000002,"bpm":"x"},{"t":1700000003,"hr":63}]})";
  write_file(source.config.path, good + "\n{\"user\":\"u2\",\"data\":[{\"t\":1700000004,\"bpm\":64}]}\n[]\n");
  source.config.each = "/data";
  source.config.customer_id.pointer = "/user";
  source.config.customer_id.scope = hb::codec::Scope::root;
  source.config.time.pointer = "/t";
  source.config.time.format = TimeFormat::epoch_s;
  source.config.heart_rate.pointers = {"/bpm", "/hr"};
  source.run();
  CHECK(source.rows() == Texts{"u1 1700000000000000 60", "u1 1700000003000000 63", "u2 1700000004000000 64"});
  CHECK(source.host.discarded()["zero_bpm"] == 1);
  REQUIRE(source.host.letters().size() == 2);
  CHECK(source.host.letters()[0].reason == "not_a_number");
  CHECK(source.host.letters()[0].payload == R"({"t":1700000002,"bpm":"x"})");
  CHECK(source.host.letters()[0].origin == source.config.path + ":1#3");
  CHECK(source.host.letters()[1].origin == source.config.path + ":3");
}

TEST_CASE("the customer comes from the file's name, by its place in the path or as the name without extension") {
  Source source("");
  std::filesystem::create_directories(source.folder / "ward-3");
  std::filesystem::create_directories(source.folder / "ward-4");
  write_file(source.folder / "ward-3/anna.v1.csv", "time,heart_rate\n" + csv_rows(0, 1));
  write_file(source.folder / "ward-4/bert.v1.csv", "time,heart_rate,customer_id\n1970-01-01T00:00:01Z,50,zoe\n");
  SECTION("a part of the name") {
    source.config.path = source.folder / "ward-?/{customer_id}.v1.csv";
    source.run();
    CHECK(source.rows() == Texts{"anna 1700000000000000 40", "bert 1000000 50"});
  }
  SECTION("a folder's name") {
    source.config.path = source.folder / "{customer_id}/*.csv";
    source.run();
    CHECK(source.rows() == Texts{"ward-3 1700000000000000 40", "ward-4 1000000 50"});
  }
  SECTION("the whole name") {
    source.config.path = source.folder / "ward-[!3]/*.csv";
    source.config.customer_id.from = CustomerFrom::file_name;
    source.run();
    CHECK(source.rows() == Texts{"bert.v1 1000000 50"});
  }
  SECTION("a name that is no customer id holds the file back and is said") {
    write_file(source.folder / ("ward-4/" + std::string(42, 'x') + ".csv"), "time,heart_rate\n" + csv_rows(0, 1));
    source.config.path = source.folder / "ward-4/{customer_id}.csv";
    CHECK_THROWS_AS(source.run(), hb::Retry);
    CHECK(source.rows() == Texts{"bert.v1 1000000 50"});
    CHECK_FALSE(source.host.health()->first);
  }
}

TEST_CASE("in the wire format the file's name goes before what the object says") {
  Source source("{customer_id}.jsonl");
  write_file(source.folder / "anna.jsonl",
             json_rows(0, 1, "zoe") + "{\"time\":\"1970-01-01T00:00:01Z\",\"heart_rate\":50.5}\n");
  source.run();
  CHECK(source.rows() == Texts{"anna 1700000000000000 40", "anna 1000000 50"});
}

TEST_CASE("with time = \"receive\" a reading's time is when it was read") {
  Source source("a.jsonl");
  write_file(source.config.path, "{\"customer_id\":\"a\",\"heart_rate\":50}\n");
  source.config.time.from = TimeFrom::receive;
  source.host.set_now_us(77'000'000);
  source.run();
  CHECK(source.rows() == Texts{"a 77000000 50"});
  CHECK(source.host.readings().at(0).received_us == 77'000'000);
}

TEST_CASE("with time = \"receive\" no two readings of a customer have one time, however many are read at once") {
  Source source("a.jsonl");
  write_file(source.config.path,
             "[{\"id\":\"a\",\"hr\":50},{\"id\":\"a\",\"hr\":0},{\"id\":\"a\",\"hr\":51}]\n"
             "[{\"id\":\"a\",\"hr\":52},{\"id\":\"a\",\"hr\":\"x\"},{\"id\":\"a\",\"hr\":53}]\n"
             "[{\"id\":\"a\",\"hr\":54}]\n");
  source.config.each = "";
  source.config.customer_id.pointer = "/id";
  source.config.heart_rate.pointer = "/hr";
  source.config.time.from = TimeFrom::receive;
  source.host.set_now_us(77'000'000);
  source.run();
  std::vector<int> rates;
  std::int64_t last = 77'000'000 - 1;
  for (const auto& reading : source.host.readings()) {
    CHECK(reading.time_us > last);
    CHECK(reading.time_us < 77'000'100);
    CHECK(reading.received_us == reading.time_us);
    last = reading.time_us;
    rates.push_back(reading.heart_rate);
  }
  CHECK(rates == std::vector<int>{50, 51, 52, 53, 54});
}

TEST_CASE("a mapping that cannot work is refused before anything is opened") {
  const Folder folder;
  TestHost host;
  FileSource::Config config;
  config.path = folder / "a.csv";
  const auto refused = [&](const std::function<void(FileSource::Config&)>& change) {
    FileSource::Config changed = config;
    change(changed);
    try {
      FileSource source(changed, host.host());
    } catch (const hb::Failed&) {
      return true;
    }
    return false;
  };
  CHECK_FALSE(refused([](auto&) {}));
  CHECK(refused([](auto& c) { c.header = false; }));
  CHECK(refused([](auto& c) { c.separator = ""; }));
  CHECK(refused([](auto& c) { c.separator = "ab"; }));
  CHECK(refused([](auto& c) { c.customer_id.from = CustomerFrom::topic; }));
  CHECK(refused([](auto& c) { c.customer_id.constant = std::string(42, 'x'); }));
  CHECK(refused([](auto& c) { c.heart_rate.pointer = "/hr"; }));
  CHECK(refused([](auto& c) { c.time.format = TimeFormat::strftime; }));
  CHECK(refused([](auto& c) { c.time.header = "when", c.header = false; }));
  CHECK(refused([&](auto& c) { c.path = folder / "{customer_id}.csv", c.customer_id.header = "id"; }));
  CHECK(refused([](auto& c) { c.path = "-", c.customer_id.from = CustomerFrom::file_name; }));
}

TEST_CASE("lines of bare numbers, as a serial port gives them, are received one after the other") {
  Source source("{customer_id}.txt");
  write_file(source.folder / "anna.txt", "72\n\n73.5\r\noff\n0\n74\n");
  source.config.decoder = LineFormat::scalar;
  source.config.time.from = TimeFrom::receive;
  source.run();
  const auto& readings = source.host.readings();
  REQUIRE(readings.size() == 3);
  CHECK(readings[1].heart_rate == 74);
  CHECK(hb::customer_id(readings[2]) == "anna");
  CHECK(readings[1].time_us > readings[0].time_us);
  CHECK(readings[2].time_us > readings[1].time_us);
  CHECK(source.reasons() == Texts{"not_a_number off"});
  CHECK(source.host.discarded()["zero_bpm"] == 1);
}

TEST_CASE("lines of 0x2A37 in hexadecimal; as bytes they cannot be lines") {
  Source source("a.log");
  write_file(source.config.path, "16485401EC02\n01 2c 01\n0448\n01\n");
  source.config.decoder = LineFormat::gatt_hrm;
  source.config.customer_id.constant = "strap-7";
  source.config.time.from = TimeFrom::receive;
  CHECK_THROWS_WITH(source.run(), Catch::Contains("input_encoding: lines of a file are text"));
  source.config.input_encoding = hb::codec::InputEncoding::hex;
  source.run();
  REQUIRE(source.host.readings().size() == 2);
  CHECK(source.host.readings()[1].heart_rate == 300);
  CHECK(source.reasons() == Texts{"truncated 01"});
  CHECK(source.host.discarded()["no_contact"] == 1);
}

TEST_CASE("a line may be a SenML pack; its bad records alone are dead letters that can be read again") {
  Source source("packs.jsonl");
  write_file(source.config.path,
             "[{\"bn\":\"a:\",\"bt\":1700000000,\"bu\":\"beat/min\",\"n\":\"hr\",\"v\":60},"
             "{\"n\":\"hr\",\"t\":1,\"v\":\"61\"},{\"n\":\"hr\",\"t\":2,\"v\":62}]\n"
             "[{\"bn\":\"b:\",\"bt\":1700000000,\"n\":\"hr\",\"u\":\"beat/min\",\"v\":63}]\n");
  source.config.decoder = LineFormat::senml;
  source.config.customer_id.senml = hb::codec::SenmlName::bn;
  source.config.customer_id.strip_suffix = ":";
  source.config.time.senml = true;
  source.config.heart_rate.name = "hr";
  source.run();
  CHECK(source.rows() == Texts{"a 1700000000000000 60", "a 1700000002000000 62", "b 1700000000000000 63"});
  REQUIRE(source.host.letters().size() == 1);
  const auto letter = source.host.letters().front();
  CHECK(letter.origin == source.config.path + ":1#2");
  CHECK(letter.payload == R"([{"bn":"a:","bt":1700000000,"bu":"beat/min","n":"hr","t":1,"v":"61"}])");

  hb::DecodeInput input;
  const std::string mended = R"([{"bn":"a:","bt":1700000000,"bu":"beat/min","n":"hr","t":1,"v":61}])";
  input.payload = mended;
  input.origin = letter.origin;
  FileSource again(source.config, source.host.host());
  const hb::testing::TestDecode decoded(again, input);
  REQUIRE(decoded.readings.size() == 1);
  CHECK(decoded.readings[0].time_us == 1'700'000'001'000'000);
  CHECK(hb::customer_id(decoded.readings[0]) == "a");
}
