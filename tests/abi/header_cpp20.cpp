#include <hbagent/sdk.hpp>
#include <hbagent/testing.hpp>

int compiled_as_cpp20() {
  return HB_OK;
}
