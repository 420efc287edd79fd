#include "client.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using hb::kafka::LogGate;

TEST_CASE("a line of a kind passes once an interval and says how many were held back") {
  LogGate gate;
  const LogGate::Clock::time_point start{};
  CHECK(gate.pass("FAIL", "refused", start) == "refused");
  CHECK_FALSE(gate.pass("FAIL", "refused", start + 1s).has_value());
  CHECK_FALSE(gate.pass("FAIL", "refused", start + 59s).has_value());
  CHECK(gate.pass("OTHER", "something else", start + 59s) == "something else");
  CHECK(gate.pass("FAIL", "refused", start + 61s) == "refused (2 more like this were held back)");
  CHECK_FALSE(gate.pass("FAIL", "refused", start + 62s).has_value());
}
