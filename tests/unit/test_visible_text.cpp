#include "visible_text.hpp"

#include "dlq_list.hpp"
#include "support/catch.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

namespace {

// One of each kind: ESC, BEL, DEL, C1 CSI, and a right-to-left override.
const std::string kHostile = "a\x1b[2J\x07\x7f\xc2\x9b\xe2\x80\xaez";
const std::string kHarmless = R"(a\u{001B}[2J\u{0007}\u{007F}\u{009B}\u{202E}z)";

// Whether anything in it would act on a terminal.
bool acts(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n') || byte == 0x7f) return true;
    if (text.compare(i, 2, "\xc2\x9b") == 0 || text.compare(i, 3, "\xe2\x80\xae") == 0) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("controls and what turns the direction of writing are shown as their numbers") {
  CHECK(visible_line("") == "");
  CHECK(visible_line(kHostile) == kHarmless);
  CHECK(visible_line("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x81\xa6\xe2\x81\xa9") ==
        R"(\u{061C}\u{200E}\u{200F}\u{2066}\u{2069})");
  CHECK(visible_line(std::string("\0\t\r\n", 4)) == R"(\u{0000}\u{0009}\u{000D}\u{000A})");
  CHECK(visible_line("\xc2\x80\xc2\x9f") == R"(\u{0080}\u{009F})");
}

TEST_CASE("everything else stays as it is, the neighbours of what is shown as a number, too") {
  for (const std::string text :
       {" ~", "\xc2\xa0", "\xd8\x9b\xd8\x9d", "\xe2\x80\x8d", "\xe2\x80\x90", "\xe2\x80\xa9\xe2\x80\xaf",
        "\xe2\x81\xa5\xe2\x81\xaa", "J\xc3\xbcrgen \xf0\x9f\x92\x93", "\\u{202E}"}) {
    CHECK(visible_line(text) == text);
  }
}

TEST_CASE("bytes that are no UTF-8 are shown each, overlong forms and surrogates among them") {
  CHECK(visible_line("a\x9bz\xff") == R"(a\x{9B}z\x{FF})");
  CHECK(visible_line("\xc0\x9b") == R"(\x{C0}\x{9B})");
  CHECK(visible_line("\xe0\x82\x9b") == R"(\x{E0}\x{82}\x{9B})");
  CHECK(visible_line("\xed\xa0\x80") == R"(\x{ED}\x{A0}\x{80})");
  CHECK(visible_line("\xf0\x9f\x92") == R"(\x{F0}\x{9F}\x{92})");
}

TEST_CASE("a text keeps its tabs and line ends, but no return that would write over a line") {
  CHECK(visible_text("a\tb\r\nc\n") == "a\tb\r\nc\n");
  CHECK(visible_text("shown\rover") == R"(shown\u{000D}over)");
  CHECK(visible_text(kHostile) == kHarmless);
}

TEST_CASE("no field of a dead letter acts on the terminal that it is listed on") {
  StoredLetter letter;
  letter.id = 1;
  letter.source = letter.reason = letter.sqlstate = letter.detail = letter.origin = kHostile;
  letter.instance = "sink/" + kHostile;
  letter.key = letter.payload = "\x7f\xc2\x9b\xe2\x80\xae\n";  // still plain text: no hex dump
  LetterTable table;
  table.add(letter);
  CHECK_FALSE(acts(table.text(1000)));
  CHECK(table.text(1000).find(kHarmless) != std::string::npos);
  CHECK(table.summary() == "1 letter: 1 " + kHarmless);
  const std::string shown = letter_text(letter);
  CHECK_FALSE(acts(shown));
  CHECK(shown.find("\nkey            \\u{007F}\\u{009B}\\u{202E}\\u{000A}\n") != std::string::npos);
  CHECK(shown.ends_with("\n\n\\u{007F}\\u{009B}\\u{202E}\n"));
}
