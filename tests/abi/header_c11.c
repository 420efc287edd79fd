#include <hbagent/decode.h>
#include <hbagent/journal.h>
#include <hbagent/plugin.h>
#include <hbagent/stored.h>

/* plugin.h and decode.h stand alone, and the reading is what every platform agrees on. */
_Static_assert(sizeof(hb_reading) == 64, "a reading is one cache line");
int compiled_as_c11(void);
int compiled_as_c11(void) { return HB_OK; }
