// hb::Ticker: a source's second thread.
#include <hbagent/testing.hpp>

#include <atomic>

#include "support/catch.hpp"

using namespace std::chrono_literals;

namespace {

template <class Condition>
void until(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) FAIL("the condition did not come true within 30 s");
    std::this_thread::yield();
  }
}

}  // namespace

TEST_CASE("a ticker calls again and again, and not at once") {
  std::atomic<int> ticks{0};
  const auto begin = std::chrono::steady_clock::now();
  hb::Ticker ticker(5ms, [&] { ++ticks; });
  until([&] { return ticks >= 3; });
  CHECK(std::chrono::steady_clock::now() - begin >= 15ms);
  ticker.check();
}

TEST_CASE("a ticker ends at once, but for a call under way") {
  std::atomic<bool> called{false};
  {
    const hb::Ticker ticker(1h, [&] { called = true; });
  }
  CHECK_FALSE(called);

  std::atomic<bool> begun{false}, may_end{false}, ended{false};
  std::thread releases;
  {
    const hb::Ticker ticker(1ms, [&] {
      begun = true;
      until([&] { return may_end.load(); });
      ended = true;
    });
    until([&] { return begun.load(); });
    releases = std::thread([&] { may_end = true; });
  }
  CHECK(ended);
  releases.join();
}

TEST_CASE("what a tick throws is thrown where it is asked for, and no other tick comes") {
  std::atomic<int> ticks{0};
  hb::Ticker ticker(1ms, [&] {
    ++ticks;
    throw hb::Retry("the position could not be stored");
  });
  until([&] {
    try {
      ticker.check();
    } catch (const hb::Retry& thrown) {
      return std::string(thrown.what()) == "the position could not be stored";
    }
    return false;
  });
  CHECK_THROWS_AS(ticker.check(), hb::Retry);
  CHECK(ticks == 1);
}
