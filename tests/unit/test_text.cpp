#include "text.hpp"

#include "support/catch.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

TEST_CASE("base64 is RFC 4648's, section 10") {
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe") == "//4=");
}

TEST_CASE("times are shown to the microsecond, also before the epoch") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(iso_time(1'795'341'600'123'456) == "2026-11-22T10:00:00.123456Z");
  CHECK(iso_time(-1) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("the nearest word is the one that was meant, or none") {
  const std::vector<std::string> words = {"brokers", "topic", "partitions", "compression"};
  CHECK(nearest("brokerz", words) == "brokers");
  CHECK(nearest("tpoic", words) == "topic");
  CHECK(nearest("compresion", words) == "compression");
  CHECK(nearest("zebra", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest(std::string(1000, 'x'), words).empty());
}

TEST_CASE("text for logs and JSON is made safe") {
  CHECK(one_line("a\nb\tc\r\n") == "a b c");
  CHECK(json_quoted("a\"b\\\n") == R"("a\"b\\\n")");
  CHECK(json_quoted("\xff") == "\"\xef\xbf\xbd\"");
  CHECK(is_plain_text("a\tb\n"));
  CHECK_FALSE(is_plain_text(std::string_view("\0", 1)));
  CHECK_FALSE(is_plain_text("\xc3\x28"));
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(grouped(12) == "12");
}
