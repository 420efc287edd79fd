/* hbagent.journal/1: an extension of the host. What the agent's journal makes of readings that emit has taken.
 *
 * host->extension(context, HB_JOURNAL_EXTENSION) returns a `const hb_journal *` that is valid as long as the host.
 */
#ifndef HBAGENT_JOURNAL_H
#define HBAGENT_JOURNAL_H

#include <hbagent/plugin.h>

#define HB_JOURNAL_EXTENSION "hbagent.journal/1"
/* What a journal on disk takes whole or not at all. */
#define HB_EMIT_WHOLE 4096

typedef struct hb_journal {
  uint32_t size; /* at least that of this struct as it is here */
  /* Non-zero: readings that emit has taken survive the death of the agent's process, and power loss once acked() has
   * reached their token. Zero: they are in memory only, and safe once acked() has reached their token. */
  uint32_t survives_process;
  /* Waits until emit would find room for a few readings, `milliseconds` at most; 0 only looks. For a source whose emit
   * must not block for long, as in the one thread of a client library. HB_OK: there is room, by all that can be known:
   * another source may be faster. HB_RETRY: none in that time. HB_END: emit takes nothing any more. During run.
   * [any-thread] */
  int32_t (*wait_room)(void *context, uint32_t milliseconds);
  /* As host->emit, but blocks no longer than `milliseconds`. HB_RETRY: not all of it was taken in that time, and of up to
   * HB_EMIT_WHOLE readings none by a journal on disk; the token covers nothing, and the readings are to be emitted
   * again. HB_REOPEN: all of it was taken, but with sync_interval = 0 emit makes it durable too, and that took longer:
   * it is safe once acked() has reached the token. */
  int32_t (*emit_within)(void *context, const hb_reading *readings, uint32_t count, uint64_t token,
                         uint32_t milliseconds);
} hb_journal;

#endif
