/* Deliberately wrong plugins, one a variant (-DVARIANT_...), and old and new ones that must work. */
#include <hbagent/plugin.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(VARIANT_NO_SYMBOL)
int nothing_of_interest(void) { return 1; }

#elif defined(VARIANT_WRONG_MAJOR)
const hb_plugin *hb_plugin_v2(uint32_t index);
const hb_plugin *hb_plugin_v2(uint32_t index) { return (void)index, NULL; }

#else

typedef struct instance {
  const hb_host *host;
} instance;

static void *create(const hb_host *host, const hb_value *config, hb_error *error) {
  (void)config;
#if defined(VARIANT_NO_REASON)
  (void)host;
  (void)error;
  return NULL;
#else
  instance *self = error->capacity == 0 ? NULL : calloc(1, sizeof(instance));
  if (self != NULL) self->host = host;
  return self;
#endif
}
static void destroy(void *self) { free(self); }

static int32_t open_plugin(void *self, hb_error *error) {
  (void)self;
#if defined(VARIANT_UNTERMINATED_ERROR)
  memset(error->text, 'x', error->capacity);
  return HB_FAILED;
#elif defined(VARIANT_UNKNOWN_STATUS)
  (void)error;
  return 77;
#else
  (void)error;
  return HB_OK;
#endif
}

static int32_t run(void *self, hb_error *error) {
  const hb_host *host = ((instance *)self)->host;
  hb_reading reading;
  memset(&reading, 0, sizeof reading);
  reading.heart_rate = 60;
  strcpy(reading.customer_id, "c");
#if defined(VARIANT_TOKEN_GOES_BACK)
  if (host->emit(host->context, &reading, 1, 5) != HB_OK) return HB_FAILED;
  strncpy(error->text, "emit took a token that went back", error->capacity);
  return host->emit(host->context, &reading, 1, 4) == HB_FAILED ? HB_END : HB_FAILED;
#elif defined(VARIANT_NO_ADDRESS)
  strncpy(error->text, "emit took readings at no address", error->capacity);
  return host->emit(host->context, NULL, 3, 1) == HB_FAILED ? HB_END : HB_FAILED;
#elif defined(VARIANT_UNSOUND_IDS)
  hb_reading readings[3];
  readings[0] = readings[1] = readings[2] = reading;
  memset(readings[0].customer_id, 'x', sizeof readings[0].customer_id);
  memset(readings[2].customer_id, 0, sizeof readings[2].customer_id);
  (void)error;
  return host->emit(host->context, readings, 3, 1) == HB_OK ? HB_END : HB_FAILED;
#elif defined(VARIANT_STOPS_EARLY)
  (void)host;
  (void)error;
  return HB_OK;
#else
  strncpy(error->text, "emit refused", error->capacity);
  return host->emit(host->context, &reading, 1, 1) == HB_OK ? HB_END : HB_FAILED;
#endif
}

static int32_t process(void *self, hb_reading *readings, uint32_t *count, uint32_t capacity,
                       const hb_verdicts *verdicts, hb_error *error) {
  (void)self;
  (void)readings;
  (void)error;
#if defined(VARIANT_MORE_THAN_CAPACITY)
  (void)verdicts;
  *count = capacity + 1;
#elif defined(VARIANT_FEWER_THAN_GIVEN)
  (void)capacity;
  (void)verdicts;
  *count = 0;
#else
  (void)capacity;
  verdicts->set(verdicts->context, *count + 1000, HB_VERDICT_DISCARD, "beyond", NULL);
#endif
  return HB_OK;
}

static int32_t write_sink(void *self, const hb_reading *readings, uint32_t count, const hb_verdicts *verdicts,
                          hb_error *error) {
  (void)self;
  (void)readings;
  (void)error;
#if defined(VARIANT_VERDICT_BEYOND)
  verdicts->set(verdicts->context, count, HB_VERDICT_REJECT, "beyond", NULL);
#elif defined(VARIANT_VERDICT_OF_ANOTHER_KIND)
  (void)count;
  verdicts->set(verdicts->context, 0, HB_VERDICT_DISCARD, "not for sinks", NULL);
#else
  (void)count;
  (void)verdicts;
#endif
  return HB_OK;
}

#if defined(VARIANT_BAD_OPTION)
static const hb_option options[] = {{.size = sizeof(hb_option), .kind = 99, .key = "what", .help = "No such kind."}};
#elif defined(VARIANT_BAD_DEFAULT)
static const hb_option options[] = {
    {.size = sizeof(hb_option), .kind = HB_INTEGER, .key = "what", .help = "A default that is no TOML.", .default_text = "= ="}};
#elif defined(VARIANT_TINY_OPTION)
static const hb_option options[] = {{.size = 4, .kind = HB_INTEGER, .key = "what", .help = "Too small."}};
#else
static const hb_option options[] = {{.size = sizeof(hb_option), .kind = HB_INTEGER, .key = "what", .help = "A number."}};
#endif

typedef struct newer_plugin {
  hb_plugin known;
  void *from_the_future[8];
} newer_plugin;

#if defined(VARIANT_SMALLER_STRUCT)
#define STRUCT_SIZE offsetof(hb_plugin, name)
#elif defined(VARIANT_WITHOUT_WRITE)
#define STRUCT_SIZE offsetof(hb_plugin, write)
#elif defined(VARIANT_OLDER_STRUCT)
#define STRUCT_SIZE offsetof(hb_plugin, extension)
#elif defined(VARIANT_LARGER_STRUCT)
#define STRUCT_SIZE sizeof(newer_plugin)
#else
#define STRUCT_SIZE sizeof(hb_plugin)
#endif

static const newer_plugin plugins[] = {
#define PLUGIN(KIND)                                                                                                \
  {.known = {.size = STRUCT_SIZE, .kind = KIND, .name = "wrong", .version = "1", .summary = "A plugin for tests.",     \
             .options = options, .option_count = 1, .create = create, .destroy = destroy, .open = open_plugin,         \
             .run = run, .process = process, .write = write_sink},                                                     \
   .from_the_future = {(void *)&options}}
    PLUGIN(HB_SOURCE), PLUGIN(HB_PROCESSOR), PLUGIN(HB_SINK)};

__attribute__((visibility("default"))) const hb_plugin *hb_plugin_v1(uint32_t index);
const hb_plugin *hb_plugin_v1(uint32_t index) {
#if defined(VARIANT_ENDLESS)
  return &plugins[index % 3].known;
#elif defined(VARIANT_EMPTY)
  return index > 1000 ? &plugins[0].known : NULL;
#else
  return index < 3 ? &plugins[index].known : NULL;
#endif
}
#endif
