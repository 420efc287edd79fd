/* hbagent.journal/1: an extension of the host. What the agent's journal makes of readings that emit has taken.
 *
 * host->extension(context, HB_JOURNAL_EXTENSION) returns a `const hb_journal *` that is valid as long as the host.
 */
#ifndef HBAGENT_JOURNAL_H
#define HBAGENT_JOURNAL_H

#include <stdint.h>

#define HB_JOURNAL_EXTENSION "hbagent.journal/1"

typedef struct hb_journal {
  uint32_t size;
  /* Non-zero: readings that emit has taken survive the death of the agent's process, and power loss once acked() has
   * reached their token. Zero: they are in memory only, and safe once acked() has reached their token. */
  uint32_t survives_process;
} hb_journal;

#endif
