// hb::Host, the plugin's view of the agent.
#include <hbagent/testing.hpp>

#include <limits>
#include <optional>

#include "support/catch.hpp"

using namespace std::chrono_literals;

namespace {

// A host that notes how long it was asked to wait, in milliseconds, and does not.
std::optional<std::uint32_t> asked_to_wait(std::chrono::milliseconds time) {
  std::optional<std::uint32_t> asked;
  hb_host raw{};
  raw.size = sizeof raw;
  raw.context = &asked;
  raw.wait = [](void* context, std::uint32_t milliseconds) -> std::uint32_t {
    *static_cast<std::optional<std::uint32_t>*>(context) = milliseconds;
    return 0;
  };
  CHECK_FALSE(hb::Host(raw).wait(time));
  return asked;
}

}  // namespace

TEST_CASE("a wait until a time that is past is none, and a long one is not cut short") {
  CHECK(asked_to_wait(250ms) == 250U);
  CHECK(asked_to_wait(0ms) == 0U);
  CHECK(asked_to_wait(-1ms) == 0U);
  CHECK(asked_to_wait(std::chrono::milliseconds::min()) == 0U);
  CHECK(asked_to_wait(24h * 49) == 24U * 49 * 3'600'000);
  CHECK(asked_to_wait(24h * 60) == std::numeric_limits<std::uint32_t>::max());
}
