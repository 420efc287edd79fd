#include <hbcommon/json_pointer.hpp>

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <string>

#include "support/catch.hpp"

using namespace hb::codec;

namespace {

// The document of RFC 6901, section 5.
constexpr std::string_view kRfc = R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6,)"
                                  R"(" ":7,"m~n":8,"deep":{"x":[[10,11],{"y":null}]}})";

}  // namespace

TEST_CASE("pointers lead where RFC 6901 says, as nlohmann does") {
  JsonDocument document;
  REQUIRE(document.parse(kRfc).ok());
  const auto reference = nlohmann::json::parse(kRfc);
  for (const char* text : {"", "/foo", "/foo/0", "/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n",
                           "/deep/x/0/1", "/deep/x/1/y"}) {
    INFO(text);
    const auto found = JsonPointer(text).find(document.root());
    REQUIRE(found);
    CHECK(nlohmann::json::parse(found->kind() == JsonKind::string
                                    ? '"' + std::string(found->raw()) + '"'
                                    : std::string(found->raw())) == reference.at(nlohmann::json::json_pointer(text)));
  }
  for (const char* text : {"/nothing", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/-1", "/foo/0x0", "/foo/bar",
                           "/foo/0/x", "/deep/x/99999999999999999999", "/foo/"}) {
    INFO(text);
    CHECK(!JsonPointer(text).find(document.root()));
  }
}

TEST_CASE("a pointer with a bad form is refused") {
  for (const char* text : {"foo", "#/foo", "/a~2b", "/a~"}) {
    CHECK_THROWS_AS(JsonPointer(text), std::invalid_argument);
    CHECK_THROWS_AS(JsonPath(text), std::invalid_argument);
  }
}

TEST_CASE("a path selects elements by a member's value") {
  JsonDocument document;
  REQUIRE(document.parse(R"({"m":[{"n":"a","d":1},{"n":"b","d":2},7,{"n":"a","d":3},{"n":4,"d":4}]})").ok());
  const auto visited = [&](const char* path) {
    std::string all;
    JsonPath(path).visit(document.root(), [&](JsonValue value) { all.append(value.raw()).append(";"); });
    return all;
  };
  CHECK(visited("/m/*[n=a]/d") == "1;3;");
  CHECK(visited("/m/*[n=4]/d") == "4;");
  CHECK(visited("/m/*[n=c]/d").empty());
  CHECK(visited("/m/1/d") == "2;");
}
