/* The hbagent plugin ABI, version 1: what crosses between the agent (host) and a plugin library.
 *
 * C11, no dependencies. C++ authors include <hbagent/sdk.hpp>, a header-only layer above this file.
 *
 * Rules that hold for every function below
 *  - A library exports one symbol, hb_plugin_v1. The ABI's major version is in that name.
 *  - Every struct that crosses starts with `uint32_t size`, set to sizeof by the side that made it. Fields are only
 *    ever appended. The reader MUST NOT touch a field that lies beyond `size`. The elements of an array of such
 *    structs lie `size` of the first element apart. (hb_reading is fixed for ever and has no size.)
 *  - Pointers last for the call, unless said otherwise. The side that creates, destroys. Text is UTF-8, NUL-terminated.
 *  - No exception crosses. Failures are a status; their text goes to the caller's hb_error.
 *  - Thread tags: [instance-thread] the one agent thread of that instance; [any-thread] any thread of the plugin,
 *    until `destroy` returns; [library] at load, before any instance exists.
 */
#ifndef HBAGENT_PLUGIN_H
#define HBAGENT_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HB_ABI_MAJOR 1
#define HB_ABI_MINOR 0
#define HB_CUSTOMER_ID_CAPACITY 42 /* 1 to 41 bytes and the NUL */

/* Flags of a reading. Quality is flagged, not dropped. */
enum {
  HB_FLAG_LOW = 1,      /* below the customer's limit */
  HB_FLAG_HIGH = 2,     /* above the customer's limit */
  HB_FLAG_JUMP = 4,     /* implausible step from the reading before */
  HB_FLAG_FLATLINE = 8, /* frozen value */
  HB_FLAG_CLOCK = 16    /* the device's time was implausible; time_us is the receive time */
};

/* One heart rate of one customer at one time: 64 bytes, trivially copyable, the same on every platform. */
typedef struct hb_reading {
  int64_t time_us;     /* when measured: microseconds since the Unix epoch, UTC */
  int64_t received_us; /* when this agent received it: the same unit */
  int32_t heart_rate;  /* beats per minute */
  uint16_t flags;      /* HB_FLAG_* */
  char customer_id[HB_CUSTOMER_ID_CAPACITY];
} hb_reading;

/* Answers of the plugin's functions and of emit. */
enum {
  HB_OK = 0,
  HB_RETRY = 1,  /* nothing is lost; the agent calls again after a backoff (a source: closes, backs off, opens, runs) */
  HB_REOPEN = 2, /* as HB_RETRY, but a sink or processor is closed and opened again first */
  HB_END = 3,    /* a source has no more readings, ever; from emit: the agent is stopping, nothing was taken */
  HB_FAILED = 4  /* cannot go on without a change of configuration; what is pending is kept */
};

enum { HB_SOURCE = 1, HB_PROCESSOR = 2, HB_SINK = 3 };

/* Text of a failure. Owned by the host, which sets size, capacity and an empty text; the plugin writes at most
 * capacity bytes including the NUL. */
typedef struct hb_error {
  uint32_t size;
  uint32_t capacity;
  char *text;
} hb_error;

/* ---- options ------------------------------------------------------------------------------------------------- */

enum {
  HB_BOOL = 1,
  HB_INTEGER,
  HB_NUMBER,
  HB_STRING,
  HB_DURATION, /* "250ms", "5s", "2h"; the value is in microseconds */
  HB_SIZE,     /* "64MiB"; the value is in bytes */
  HB_CHOICE,   /* one of `choices`; the value is the text, and its index in `integer` */
  HB_LIST,     /* array of the scalar kind in `element` */
  HB_TABLE,    /* nested table, described by `fields` */
  HB_TABLES,   /* array of tables, described by `fields` */
  HB_PASS      /* table of any string, number or bool, passed through as text */
};
enum {
  HB_OPTION_REQUIRED = 1,
  HB_OPTION_SECRET = 2,
  /* Durations: at most one of these; only whole multiples of the unit are allowed. None: any number of microseconds. */
  HB_OPTION_WHOLE_MILLISECONDS = 4,
  HB_OPTION_WHOLE_SECONDS = 8,
  HB_OPTION_WHOLE_MINUTES = 16,
  HB_OPTION_WHOLE_HOURS = 32,
  HB_OPTION_WHOLE_DAYS = 64
};

/* One option, declared once: validation, help, samples and documentation all come from it. Static storage. */
typedef struct hb_option {
  uint32_t size;
  uint32_t kind;
  uint32_t attributes; /* HB_OPTION_* */
  uint32_t element;    /* HB_LIST: kind of the elements; else 0 */
  const char *key;
  const char *help;           /* one or two sentences */
  const char *default_text;   /* as written in TOML, e.g. "\"5s\""; NULL: no default */
  const char *example_text;   /* as written in TOML, for samples; NULL: default_text */
  const double *minimum;      /* numeric kinds, duration (seconds), size (bytes), inclusive; NULL: none */
  const double *maximum;
  const char *const *choices; /* HB_CHOICE: NULL-terminated; else NULL */
  const struct hb_option *fields; /* HB_TABLE, HB_TABLES; else NULL */
  uint32_t field_count;
  const char *shorthand; /* HB_TABLE: a plain string stands for a table with this key; NULL: not allowed */
} hb_option;

/* One validated value; a table's items are its keys, given or defaulted. An option without value is absent. */
typedef struct hb_value {
  uint32_t size;
  uint32_t kind;
  const char *key; /* NULL within a list */
  int64_t integer; /* bool, integer, duration (us), size (bytes), choice (index) */
  double number;
  const char *text;             /* string, choice; else NULL. May hold a secret: never log it */
  const struct hb_value *items; /* list, table, tables, pass */
  uint32_t count;
} hb_value;

/* ---- what the host offers ------------------------------------------------------------------------------------ */

/* Input that cannot become a reading, for the dead-letter file. */
typedef struct hb_dead_letter {
  uint32_t size;
  uint32_t payload_size;
  const char *reason;  /* short and stable: "bad_json" */
  const char *detail;  /* for a person; may be NULL */
  const char *origin;  /* where it came from: "topic[3]@1042", "file.csv:17"; may be NULL */
  const void *payload; /* the original bytes; any content */
  const void *key;     /* of the record that held them, where decoding needs it; may be NULL */
  uint64_t key_size;
  uint64_t original_size; /* where payload is only the beginning: how much there was; else 0 */
} hb_dead_letter;

enum { HB_LOG_DEBUG = 0, HB_LOG_INFO = 1, HB_LOG_WARNING = 2, HB_LOG_ERROR = 3 };

/* The host as one instance sees it; valid from create until destroy returns. `context` goes back as first argument. */
typedef struct hb_host {
  uint32_t size;
  uint32_t abi_minor;
  void *context;
  const char *instance;  /* the configured name; text lasts as long as the host */
  const char *state_dir; /* private folder of this instance, exists; NULL in `check` and `dlq replay` */

  /* Source, one call at a time, during run. Copies `count` readings (may be 0) through the processors into the
   * journal. Blocks while the journal is full. `token` is 1 or more and never smaller than the one before.
   * HB_OK: they are the agent's now. HB_END: the time to stop is up, nothing was taken; until then what a source has
   * in hand is taken also while stopping. HB_FAILED: a rule was broken (see log). */
  int32_t (*emit)(void *context, const hb_reading *readings, uint32_t count, uint64_t token); /* [any-thread] */
  /* Source: the newest token up to which everything emitted, rejected or discarded is safe; 0 before the first. */
  uint64_t (*acked)(void *context); /* [any-thread] */
  /* Source: input that cannot be decoded or stored. Call it before the emit whose token covers it, serial with emit.
   * HB_RETRY: the dead letter could not be kept; do not let the token pass. */
  int32_t (*dead_letter)(void *context, const hb_dead_letter *letter); /* [any-thread] */
  /* Source: `count` inputs that hold no reading at all (sensor off, guard mismatch): counted by reason, not kept. */
  void (*discard)(void *context, const char *reason, uint64_t count); /* [any-thread] */

  uint32_t (*stopping)(void *context);                        /* non-zero: return soon. [any-thread] */
  uint32_t (*wait)(void *context, uint32_t milliseconds);     /* a sleep that stopping ends; = stopping. [any-thread] */
  int64_t (*now_us)(void *context);                           /* wall clock, us since the epoch, UTC. [any-thread] */
  void (*log)(void *context, int32_t level, const char *text); /* never a reading or a secret. [any-thread] */
  /* Says whether the far side is reachable; `text` says why not. An instance is up once open has returned HB_OK. */
  void (*health)(void *context, int32_t up, const char *text); /* [any-thread] */
  /* A gauge of the plugin's own; `name` is lower_case and ends in its unit, e.g. "lag_readings". */
  void (*gauge)(void *context, const char *name, double value); /* [any-thread] */
  const void *(*extension)(void *context, const char *id);      /* NULL where the host lacks it. [any-thread] */
} hb_host;

enum {
  HB_VERDICT_REJECT = 1,    /* to the dead letters, with a reason */
  HB_VERDICT_DISCARD = 2,   /* processor only: no reading at all; counted by reason, not kept */
  HB_VERDICT_RETRY = 3,     /* sink only: this one again; nothing is lost */
  HB_VERDICT_DUPLICATE = 4  /* sink only: delivered, it was stored before */
};

/* Where processors and sinks say what is not plainly kept or delivered. Verdicts count only when the call returns
 * HB_OK. The last one set for an index holds. An index at or beyond the count is a fault of the plugin. */
typedef struct hb_verdicts {
  uint32_t size;
  void *context;
  void (*set)(void *context, uint32_t index, int32_t verdict, const char *reason, const char *detail);
  /* [instance-thread] reason: short and stable, required for reject and discard; detail: may be NULL */
} hb_verdicts;

/* ---- what a plugin offers ------------------------------------------------------------------------------------ */

/* One plugin. Static storage: valid until the process ends. Every call on one instance comes from one agent thread
 * [instance-thread], create and destroy included. A processor's is its source's, but for process, which runs on the
 * thread that emits, one call at a time. Order: create, then any number of (open, run | process | write ..., close),
 * then destroy. close follows every open, also a failed one.
 * Functions that do not belong to the kind, and those marked optional, are NULL. */
typedef struct hb_plugin {
  uint32_t size;
  uint32_t kind; /* HB_SOURCE, HB_PROCESSOR, HB_SINK */
  const char *name;
  const char *version;
  const char *summary; /* one line */
  const hb_option *options;
  uint32_t option_count;
  uint32_t batch_size; /* sink: batch_size where the configuration gives none; 0: the agent's default */

  /* Returns NULL and fills `error` where the configuration cannot be used. MUST NOT connect anywhere. A text that begins
   * with the path of an option, such as "port: ..." or "login[1].user = ...", is shown at that option's line.
   * `config` is an HB_TABLE that matches `options`; it lasts for the call. */
  void *(*create)(const hb_host *host, const hb_value *config, hb_error *error);
  void (*destroy)(void *self);
  int32_t (*open)(void *self, hb_error *error); /* connects; optional */
  void (*close)(void *self);                    /* lets go; a source stores its last acked position here; optional */
  /* Source: emits until host->stopping, then returns HB_OK. A source that is finished returns HB_END. */
  int32_t (*run)(void *self, hb_error *error);
  /* Processor: works on readings[0 .. *count) in place; may append up to `capacity` readings and raise *count. */
  int32_t (*process)(void *self, hb_reading *readings, uint32_t *count, uint32_t capacity,
                     const hb_verdicts *verdicts, hb_error *error);
  /* Sink: HB_OK means that every reading is delivered, but for those with a verdict. MUST be idempotent under
   * redelivery where the store can be. */
  int32_t (*write)(void *self, const hb_reading *readings, uint32_t count, const hb_verdicts *verdicts,
                   hb_error *error);
  const void *(*extension)(void *self, const char *id); /* NULL where the plugin lacks it; optional */
} hb_plugin;

/* The one exported symbol: the library's plugins by index, NULL past the last. [library] */
typedef const hb_plugin *hb_plugin_entry(uint32_t index);

#if defined(HB_PLUGIN_LIBRARY)
__attribute__((visibility("default"))) const hb_plugin *hb_plugin_v1(uint32_t index);
#endif

#ifdef __cplusplus
}
#endif

#endif
