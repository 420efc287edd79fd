/* hbagent.stored/1: an optional extension of sinks. Hands back what is stored of a span of time: what `hbagent audit`
 * compares with the readings that ought to be there.
 *
 * hb_plugin.extension(self, HB_STORED_EXTENSION) returns a `const hb_stored *` that is valid until the process ends.
 * The rules of plugin.h hold here, too: sized structs that only grow, pointers that last for the call, no exceptions.
 */
#ifndef HBAGENT_STORED_H
#define HBAGENT_STORED_H

#include <hbagent/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HB_STORED_EXTENSION "hbagent.stored/1"

typedef struct hb_stored_query {
  uint32_t size;
  const char *table; /* or whatever holds readings in that store; NULL: where the sink itself puts them */
  int64_t from_us;   /* first time of a reading that is wanted: microseconds since the Unix epoch, UTC */
  int64_t until_us;  /* the first time that is not wanted any more */
} hb_stored_query;

/* Takes what is stored, in batches. [instance-thread] */
typedef struct hb_stored_output {
  uint32_t size;
  void *context;
  /* HB_OK: go on. HB_END: enough, return HB_OK soon. received_us and flags may be 0. */
  int32_t (*readings)(void *context, const hb_reading *readings, uint32_t count);
} hb_stored_output;

typedef struct hb_stored {
  uint32_t size;
  /* On an instance that was created; it need not be open. Connects, and lets go before it returns; MUST NOT change
   * anything. Hands out every reading of the span, also those stored more than once, as of one moment, in the order of
   * (time_us, bytes of customer_id), in memory that does not grow with their number. HB_OK: that was all. Any other
   * status: it was not, and what was handed out does not count. [instance-thread] */
  int32_t (*read)(void *self, const hb_stored_query *query, const hb_stored_output *output, hb_error *error);
} hb_stored;

#ifdef __cplusplus
}
#endif

#endif
