#include "key_places.hpp"

#include "schema.hpp"
#include "support/catch.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

namespace {

const toml::table& table() {
  static const toml::table root = toml::parse(
      "[[source]]\n"                       // 1
      "server = 'x'\n"                     // 2
      "tls.ca_file = 'y'\n"                // 3
      "topics = ['a',\n"                   // 4
      "  'b']\n"                           // 5
      "  [[source.subscription]]\n"        // 6
      "  topic = 'a'\n"                    // 7
      "  [[source.subscription]]\n"        // 8
      "  topic = 'b'\n"                    // 9
      "  time = { format = 'iso8601' }\n"  // 10
      "    [source.subscription.guard]\n"  // 11
      "    min = 1\n");                    // 12
  return *root["source"].as_array()->get(0)->as_table();
}

unsigned line(const std::string& text) {
  return key_places_of(table()).of(text, {99, 1}).line;
}

}  // namespace

TEST_CASE("an error is shown at the key that its text begins with") {
  CHECK(line("server = \"x\": write it as tcp://host:1883") == 2);
  CHECK(line("tls.ca_file = \"y\": No such file or directory") == 3);
  CHECK(line("topics[1]: no topic") == 5);
  CHECK(line("subscription[0].topic: has a wildcard") == 7);
  CHECK(line("subscription[1].topic") == 9);
  CHECK(line("subscription[1].time.format, and more") == 10);
  CHECK(line("subscription[1].guard.min is too small") == 12);
}

TEST_CASE("an error about a key that is not in the file is shown at what is around it") {
  CHECK(line("subscription[0].heart_rate.pointer: is missing") == 6);
  CHECK(line("subscription[1].time.pattern: is missing") == 10);
  CHECK(line("subscription[1].guard.pointer: is missing") == 11);
  CHECK(line("subscription[7].topic: is missing") == 6);
}

TEST_CASE("an error about no key is shown at the table") {
  CHECK(line("") == 99);
  CHECK(line("two of them exclude each other") == 99);
  CHECK(line("password without username") == 99);
  CHECK(line("server/path: Permission denied") == 99);
  CHECK(line("server\"x\"") == 99);
  CHECK(line("[0]: x") == 99);
  CHECK(line("...: x") == 99);
}
