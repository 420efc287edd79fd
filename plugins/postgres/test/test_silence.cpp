// A server that is frozen, not gone: its connections stay open, and only time tells.
#include "support.hpp"

#include <thread>

using namespace postgres_test;

namespace {

// The server stands still while it lives.
class Frozen {
 public:
  Frozen() { Server::instance().freeze(); }
  ~Frozen() { Server::instance().thaw(); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
};

bool is_down(const TestSink& sink) {
  const auto health = sink.host.health();
  return health && !health->first;
}

bool is_up(const TestSink& sink) {
  const auto health = sink.host.health();
  return health && health->first;
}

}  // namespace

TEST_CASE("a write to a frozen server is told long before its timeout, and is done when the server goes on") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::seconds(30);
  config.connections = GENERATE(1, 3);
  INFO(config.connections << " connections");
  TestSink sink(config);
  sink.sink->open();
  sink.write(make_series(100, 10));
  CHECK_FALSE(sink.host.health());
  std::pair<std::int32_t, std::string> outcome{-1, ""};
  std::jthread writing;
  const auto start = std::chrono::steady_clock::now();
  {
    const Frozen frozen;
    writing =
        std::jthread([&] { outcome = outcome_of([&] { sink.write(make_series(100, 10, kNow + 1000 * kSecond)); }); });
    wait_until(
        "the sink to be down", [&] { return is_down(sink); }, 20);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= std::chrono::seconds(5));
    CHECK(took < std::chrono::seconds(15));
    CHECK(sink.host.health()->second == "PostgreSQL at 127.0.0.1:" + std::to_string(Server::instance().port()) + "/" +
                                            database.name +
                                            ": no answer for 5 s, still waiting: it is frozen, overloaded, or waits "
                                            "for a lock");
    CHECK(outcome.first == -1);
  }
  wait_until("the sink to be up", [&] { return is_up(sink); });
  writing.join();
  CHECK(outcome.first == HB_OK);
  CHECK(database.count() == "200");
}

TEST_CASE("a frozen server is told as well while the write waits for a partition to be made") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::seconds(8);
  TestSink sink(config);
  sink.sink->open();
  std::pair<std::int32_t, std::string> outcome{-1, ""};
  std::jthread writing;
  {
    const Frozen frozen;
    writing = std::jthread([&] { outcome = outcome_of([&] { sink.write(make_series(10, 2, kNow - 400 * kDay)); }); });
    wait_until(
        "the sink to be down", [&] { return is_down(sink); }, 20);
    CHECK_THAT(sink.host.health()->second, contains_text("no answer for 2 s"));
  }
  wait_until("the sink to be up", [&] { return is_up(sink); });
  writing.join();
  CHECK(outcome.first == HB_OK);
  CHECK(database.count() == "10");
}

TEST_CASE("a server that stays frozen is down until the write is given up, and after it") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::milliseconds(1000);
  config.connections = 2;
  TestSink sink(config);
  sink.sink->open();
  sink.write(make_series(100, 10));
  {
    const Frozen frozen;
    std::pair<std::int32_t, std::string> outcome{-1, ""};
    std::jthread writing(
        [&] { outcome = outcome_of([&] { sink.write(make_series(100, 10, kNow + 1000 * kSecond)); }); });
    wait_until("the silence to be told", [&] {
      return is_down(sink) && sink.host.health()->second.find("no answer for 0.2 s") != std::string::npos;
    });
    writing.join();
    CHECK(outcome.first == HB_REOPEN);
  }
  CHECK(is_down(sink));
  sink.sink->close();
  sink.sink->open();
  sink.write(make_series(100, 10, kNow + 1000 * kSecond));
  CHECK(database.count() == "200");
}

TEST_CASE("a long wait between two writes holds nothing up and is not told") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::seconds(4);
  config.latest_interval = std::chrono::milliseconds(10);
  TestSink sink(config);
  sink.sink->open();
  const auto warned = [&] {
    for (const auto& [level, text] : sink.host.logs()) {
      if (text.find("heartrate_data is not up to date") != std::string::npos) return true;
    }
    return false;
  };
  Sql blocker(Server::instance().uri(database.name));
  blocker.run("BEGIN; LOCK TABLE heartrate_data IN EXCLUSIVE MODE");
  sink.write(make_series(10, 2));
  // The latest readings wait for the lock for 2 s, longer than a write might.
  wait_until("the lock's timeout", warned);
  CHECK_FALSE(sink.host.health());
}
