#include "text.hpp"

#include <limits>

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

TEST_CASE("hex text is pairs of digits, with white space between them alone") {
  CHECK(from_hex("") == "");
  CHECK(from_hex(" 00ff\n7B 7d\r\n\t") == std::string("\0\xff{}", 4));
  for (const char* wrong : {"0", "0 0", "0x00", "g0", "0g", "00,", "00 7", "\xc3\xa4"}) {
    INFO(wrong);
    CHECK_FALSE(from_hex(wrong));
  }
}

TEST_CASE("times are shown to the microsecond, also before the epoch") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(iso_time(1'795'341'600'123'456) == "2026-11-22T10:00:00.123456Z");
  CHECK(iso_time(-1) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("base64 is read back to the byte, and nothing else is taken for it") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    CHECK(from_base64(base64(bytes)) == bytes);
    bytes += static_cast<char>(i * 37);
  }
  for (const char* wrong : {"Zg=", "Zg", "Z===", "Zh==", "Zg==Zg==", "Zm9v\n", "====", "Zm-v", "Z=9v"}) {
    INFO(wrong);
    CHECK_FALSE(from_base64(wrong));
  }
}

TEST_CASE("every time is read back to the microsecond, and nothing else is taken for one") {
  constexpr std::int64_t kYear = 31'556'952'000'000;
  for (std::int64_t time : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'795'341'600'123'456}, 2000 * kYear - 1,
                            -1970 * kYear, -2500 * kYear, 8029 * kYear, 20'000 * kYear, -20'000 * kYear,
                            std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    INFO(iso_time(time));
    CHECK(parse_iso_time(iso_time(time)) == time);
  }
  for (std::int64_t day = -400; day < 400; ++day) {
    const std::int64_t time = 1'709'164'800'000'000 + day * 86'399'999'999;  // around a 29th of February
    CHECK(parse_iso_time(iso_time(time)) == time);
  }
  for (const char* wrong : {"", "2026-11-22", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.123456", "x", "999999999999",
                            "2026-02-30T10:00:00.000000Z", "2026-13-01T10:00:00.000000Z",
                            "2026-11-22T10:00:00.123456Zz", "999999-11-22T10:00:00.123456Z"}) {
    INFO(wrong);
    CHECK_FALSE(parse_iso_time(wrong));
  }
}

TEST_CASE("a text is cut where a character ends") {
  CHECK(beginning("a\xc3\xa4z", 2) == "a");
  CHECK(beginning("a\xc3\xa4z", 3) == "a\xc3\xa4");
  CHECK(beginning("abc", 3) == "abc");
  CHECK(beginning("\x80\x80\x80", 1).empty());
}

TEST_CASE("the nearest word is the one that was meant, or none") {
  const std::vector<std::string> words = {"brokers", "topic", "partitions", "compression"};
  CHECK(nearest("brokerz", words) == "brokers");
  CHECK(nearest("tpoic", words) == "topic");
  CHECK(nearest("compresion", words) == "compression");
  CHECK(nearest("comp", words) == "compression");
  CHECK(nearest("to", words).empty());
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

TEST_CASE("times of RFC 3339 are read with any offset, and nothing else is") {
  constexpr std::int64_t kNewYear = 1'767'225'600'000'000;
  CHECK(parse_rfc3339("2026-01-01T00:00:00Z") == kNewYear);
  CHECK(parse_rfc3339("2026-01-01t00:00:00z") == kNewYear);
  CHECK(parse_rfc3339("2026-01-01 01:30:00+01:30") == kNewYear);
  CHECK(parse_rfc3339("2025-12-31T16:00:00.25-08:00") == kNewYear + 250'000);
  CHECK(parse_rfc3339("2026-01-01T00:00:00.000001Z") == kNewYear + 1);
  for (const char* wrong : {"", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z",
                            "2026-01-01T00:00:00.1234567Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                            "2026-01-01T24:00:00Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00",
                            "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+ab:00", "2026-01-01T00:00:00ZZ", "now"}) {
    INFO(wrong);
    CHECK_FALSE(parse_rfc3339(wrong));
  }
}
