#include <hbagent/catch.hpp>

#include <boost/asio/ip/address.hpp>

#include "assets.hpp"
#include "listen.hpp"
#include "request.hpp"

#include <hbagent/host.hpp>

using namespace hb::dashboard;

TEST_CASE("a target is taken apart, its percent-encoding undone") {
  const auto target = Target::parse("/api/v1/history?customer=a%20b&customer=c+d&since_s=5&x");
  REQUIRE(target);
  CHECK(target->path() == "/api/v1/history");
  CHECK(target->values("customer") == std::vector<std::string>{"a b", "c d"});
  CHECK(target->value("since_s") == "5");
  CHECK(target->value("x") == "");
  CHECK_FALSE(target->value("y"));
  CHECK(Target::parse("/a%2Fb")->path() == "/a/b");
  for (const char* wrong : {"", "x", "http://evil/", "*", "/%", "/%4", "/%zz", "/?a=%f", "/?%=1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Target::parse(wrong));
  }
}

TEST_CASE("only names of this host are answered to") {
  const std::vector<std::string> allowed{"localhost", "127.0.0.1", "[::1]", "Hearts.example.org"};
  for (const char* good :
       {"localhost", "LOCALHOST:3030", "127.0.0.1:1", "[::1]", "[::1]:80", "hearts.example.org:443"}) {
    CAPTURE(good);
    CHECK(is_allowed_host(good, allowed));
  }
  for (const char* bad : {"", ":", "evil.example", "localhost.evil.example", "localhost:80:80", "[::1", "::1",
                          "localhost:x", "127.0.0.1@evil", "localhost "}) {
    CAPTURE(bad);
    CHECK_FALSE(is_allowed_host(bad, allowed));
  }
  // Where the page is served at every address, any of them will do; a name will not.
  for (const char* address : {"192.0.2.7", "192.0.2.7:3030", "[2001:db8::7]:3030"}) {
    CAPTURE(address);
    CHECK_FALSE(is_allowed_host(address, allowed));
    CHECK(is_allowed_host(address, {"0.0.0.0"}));
    CHECK(is_allowed_host(address, {"[::]"}));
  }
  CHECK_FALSE(is_allowed_host("evil.example", {"0.0.0.0"}));
  CHECK_FALSE(is_allowed_host("192.0.2.7.evil.example", {"[::]"}));
}

TEST_CASE("the token counts as bearer or as cookie, whole and alone") {
  const auto has = [](std::string_view authorization, std::string_view cookie) {
    Request request;
    request.authorization = authorization;
    request.cookie = cookie;
    return has_token(request, "0123456789abcdef");
  };
  CHECK(has("Bearer 0123456789abcdef", ""));
  CHECK(has("bearer   0123456789abcdef ", ""));
  CHECK(has("", "a=b; hbagent_dashboard=0123456789abcdef; c"));
  CHECK_FALSE(has("", ""));
  CHECK_FALSE(has("Bearer ", ""));
  CHECK_FALSE(has("Bearer 0123456789abcdeF", ""));
  CHECK_FALSE(has("Bearer 0123456789abcdef0", ""));
  CHECK_FALSE(has("Basic 0123456789abcdef", ""));
  CHECK_FALSE(has("", "xhbagent_dashboard=0123456789abcdef"));
  CHECK_FALSE(has("", "hbagent_dashboard"));
}

TEST_CASE("compression and ETags are read as HTTP says") {
  for (const char* yes : {"gzip", "br, GZIP", "deflate,gzip;q=0.5", "gzip; q=1"}) CHECK(takes_gzip(yes));
  for (const char* no : {"", "br", "gzip;q=0", "gzip; q=0.000", "xgzip"}) CHECK_FALSE(takes_gzip(no));
  CHECK(names_etag("\"a\", W/\"b\"", "\"b\""));
  CHECK(names_etag("*", "\"b\""));
  CHECK_FALSE(names_etag("\"bb\"", "\"b\""));
  CHECK_FALSE(names_etag("", "\"b\""));
}

TEST_CASE("the page's files are there, exactly by their names") {
  REQUIRE(find_asset("/") != nullptr);
  CHECK(find_asset("/")->content_type == "text/html; charset=utf-8");
  CHECK(find_asset("/")->content.find("<!doctype html>") != std::string_view::npos);
  CHECK(find_asset("/")->gzip.substr(0, 2) == "\x1f\x8b");
  for (const char* none : {"", "/index.html", "//", "/../CMakeLists.txt", "/./", "/app.js/"}) {
    CHECK(find_asset(none) == nullptr);
  }
}

TEST_CASE("an address is taken as it is written, and a wrong one is told") {
  CHECK(text_of(parse_listen("localhost:3030")) == "127.0.0.1:3030");
  CHECK(text_of(parse_listen("[::1]:0")) == "[::1]:0");
  CHECK(text_of(parse_listen("0.0.0.0:65535")) == "0.0.0.0:65535");
  for (const char* wrong : {"", "3030", ":3030", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:3030",
                            "[127.0.0.1]:1", "example.org:80", "127.0.0.1:80x"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_listen(wrong), hb::Failed);
  }
}
