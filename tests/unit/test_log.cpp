// What is said on stderr, read from a file that stands in for it.
#include <nlohmann/json.hpp>

#include "log.hpp"
#include "retry_log.hpp"
#include "stderr_of.hpp"
#include "support/catch.hpp"

using hbagent::LogFormat;
using hbagent::Logger;
using hbagent::LogLevel;
using hbagent::RetryLog;

TEST_CASE("a text line has time, level and component, and stays one line") {
  const auto lines = stderr_of(LogFormat::text, [](Logger& logger) {
    logger.debug("agent", "below the level");
    logger.warn("source/ward-3", "two\nlines {} %s");
  });
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], contains_text("Z warning source/ward-3: two lines {} %s"));
}

TEST_CASE("a JSON line is JSON, whatever is in it") {
  const auto lines = stderr_of(LogFormat::json, [](Logger& logger) { logger.error("sink/a", "quote \" \\ \n \xff"); });
  REQUIRE(lines.size() == 1);
  const auto json = nlohmann::json::parse(lines[0]);
  CHECK(json["level"] == "error");
  CHECK(json["component"] == "sink/a");
  CHECK(json["message"] == "quote \" \\ \n \xef\xbf\xbd");
}

TEST_CASE("repeats that differ in numbers only are held back and counted") {
  const auto lines = stderr_of(LogFormat::text, [](Logger& logger) {
    for (int i = 0; i < 1000; ++i) logger.warn("sink/a", "failed try " + std::to_string(i));
    for (int i = 0; i < 3; ++i) logger.warn("sink/b", "failed try " + std::to_string(i));
  });
  CHECK(lines.size() == Logger::kBurst + 3);
}

TEST_CASE("a failure that is tried again is told once, and again when it becomes another one") {
  const auto lines = stderr_of(LogFormat::text, [](Logger& logger) {
    RetryLog log(logger, "sink/a");
    const std::chrono::milliseconds pause(100);
    for (int i = 0; i < 50; ++i) log.failed("refused, try " + std::to_string(i), pause);
    for (int i = 0; i < 50; ++i) log.failed("starting up", pause);
    log.succeeded("connected");
    log.succeeded("connected");
    log.failed("starting up", pause);
  });
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[0], contains_text("sink/a: refused, try 0; trying again in 100 ms"));
  CHECK_THAT(lines[1], contains_text("starting up"));
  CHECK_THAT(lines[2], contains_text("info    sink/a: connected after 101 tries in 0 s"));
  CHECK_THAT(lines[3], contains_text("starting up"));
}
