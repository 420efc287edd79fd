/* hbagent.decode/1: an optional extension of sources. One input through the source's decoding, without a connection:
 * what dead letters are replayed with, and how a mapping is tried out.
 *
 * hb_plugin.extension(self, HB_DECODE_EXTENSION) returns a `const hb_decoder *` that is valid until the process ends.
 * The rules of plugin.h hold here, too: sized structs that only grow, pointers that last for the call, no exceptions.
 */
#ifndef HBAGENT_DECODE_H
#define HBAGENT_DECODE_H

#include <hbagent/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HB_DECODE_EXTENSION "hbagent.decode/1"

typedef struct hb_decode_input {
  uint32_t size;
  uint32_t retained;    /* non-zero: an old value that the broker kept (MQTT) */
  const void *payload;  /* the bytes to decode; any content */
  uint64_t payload_size;
  const void *key;      /* of the record that held them; NULL: none */
  uint64_t key_size;
  const char *origin;   /* as the plugin wrote it into the dead letter that this was; NULL: this was none */
  const char *topic;    /* where it is to be taken to come from, a topic or a file; NULL: the origin says it */
  int64_t received_us;  /* when it was received: microseconds since the Unix epoch, UTC */
} hb_decode_input;

/* Takes what came of the input, in the order in which it lies there. [instance-thread] */
typedef struct hb_decode_output {
  uint32_t size;
  void *context;
  void (*reading)(void *context, const hb_reading *reading);
  /* A part that gave no reading. `verdict`: HB_VERDICT_REJECT for what belongs to the dead letters, with the `bytes` of
   * that part, or HB_VERDICT_DISCARD. `reason` as in hb_dead_letter; `detail` may be NULL. */
  void (*refuse)(void *context, int32_t verdict, const char *reason, const char *detail, const void *bytes,
                 uint64_t byte_count);
} hb_decode_output;

typedef struct hb_decoder {
  uint32_t size;
  /* On an instance that was created; it need not be open, and this MUST NOT connect anywhere. Readings come with
   * received_us. HB_OK: all that came of it was handed out. Any other status: nothing of it counts; HB_RETRY where
   * something is missing that may come back (a file that is gone), HB_FAILED where this configuration cannot decode
   * such an input at all. [instance-thread] */
  int32_t (*decode)(void *self, const hb_decode_input *input, const hb_decode_output *output, hb_error *error);
} hb_decoder;

#ifdef __cplusplus
}
#endif

#endif
