#include <hbcommon/csv.hpp>

#include <random>
#include <string>

#include "support/catch.hpp"

using namespace hb::codec;

namespace {

using Fields = std::vector<std::string_view>;

std::string csv_quoted(const std::string& field) {
  std::string out = "\"";
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

TEST_CASE("a record splits into its fields") {
  CsvSplitter csv;
  const auto split = [&](std::string_view record) {
    INFO(record);
    REQUIRE(csv.split(record).ok());
    return csv.fields();
  };
  CHECK(split("1622548800,75") == Fields{"1622548800", "75"});
  CHECK(split("a,b\r\n") == Fields{"a", "b"});
  CHECK(split("a,b\n") == Fields{"a", "b"});
  CHECK(split("") == Fields{""});
  CHECK(split(",") == Fields{"", ""});
  CHECK(split("a,,c,") == Fields{"a", "", "c", ""});
  CHECK(split("\"a,b\",c") == Fields{"a,b", "c"});
  CHECK(split("\"say \"\"hi\"\"\",\"\"\"\",\"\"") == Fields{"say \"hi\"", "\"", ""});
  CHECK(split("\"two\nlines\",x") == Fields{"two\nlines", "x"});
  CHECK(split(" a , b ") == Fields{" a ", " b "});
  CsvSplitter semicolon(';');
  REQUIRE(semicolon.split("a,b;c").ok());
  CHECK(semicolon.fields() == Fields{"a,b", "c"});
}

TEST_CASE("broken quoting is refused") {
  CsvSplitter csv;
  for (const char* record : {"\"a", "a\"b", "\"a\"b", "\"a\" ,b", "a,\"", "\"a\"\"", "a,\"b\n"}) {
    INFO(record);
    CHECK(csv.split(record).reason == Reason::bad_csv);
  }
}

TEST_CASE("random fields survive being written and split") {
  std::mt19937 random(4180);
  CsvSplitter csv;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> fields(1 + random() % 6);
    std::string record;
    for (std::string& field : fields) {
      for (std::size_t left = random() % 8; left > 0; --left) field += "ab,\"\n\r x"[random() % 8];
      const bool plain = field.find_first_of(",\"\r\n") == std::string::npos;
      if (&field != &fields.front()) record += ',';
      record += plain && random() % 2 == 0 ? field : csv_quoted(field);
    }
    record += random() % 2 == 0 ? "\n" : "\r\n";
    INFO(record);
    REQUIRE(csv.split(record).ok());
    REQUIRE(csv.fields() == Fields(fields.begin(), fields.end()));
  }
}
