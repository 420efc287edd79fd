// Receive times: the agent's clock, and none twice.
#include <hbagent/testing.hpp>

#include "support/catch.hpp"

namespace {

constexpr std::int64_t kNow = 1'800'000'000'000'000;
constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

TEST_CASE("readings that are received at once get times one after the other") {
  hb::testing::TestHost host;
  host.set_now_us(kNow);
  hb::ReceiveClock clock(host.host());
  clock.tick();
  CHECK(clock.next() == kNow);
  CHECK(clock.next() == kNow + 1);
  clock.tick();
  CHECK(clock.next() == kNow + 2);
  clock.used_up_to(kNow + 7);
  CHECK(clock.next() == kNow + 8);
  clock.used_up_to(kNow);
  CHECK(clock.next() == kNow + 9);
}

TEST_CASE("receive times go with the agent's clock, which is read when it is asked to be") {
  hb::testing::TestHost host;
  host.set_now_us(kNow);
  hb::ReceiveClock clock(host.host());
  clock.tick();
  CHECK(clock.next() == kNow);
  host.set_now_us(kNow + 500);
  CHECK(clock.next() == kNow + 1);
  clock.tick();
  CHECK(clock.next() == kNow + 500);
}

TEST_CASE("a clock that is set back a little gives no time twice, and one that was wrong is followed") {
  hb::testing::TestHost host;
  host.set_now_us(kNow);
  hb::ReceiveClock clock(host.host());
  clock.tick();
  CHECK(clock.next() == kNow);
  host.set_now_us(kNow - kSecond);
  clock.tick();
  CHECK(clock.next() == kNow + 1);
  host.set_now_us(kNow - 3600 * kSecond);
  clock.tick();
  CHECK(clock.next() == kNow - 3600 * kSecond);
  CHECK(clock.next() == kNow - 3600 * kSecond + 1);
}
