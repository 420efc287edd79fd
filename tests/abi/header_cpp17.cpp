#include <hbagent/decode.h>
#include <hbagent/plugin.h>
#include <hbagent/stored.h>

// plugin.h and decode.h stand alone in C++17.
static_assert(sizeof(hb_reading) == 64, "a reading is one cache line");
int compiled_as_cpp17() {
  return HB_OK;
}
