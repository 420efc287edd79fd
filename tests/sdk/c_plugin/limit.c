/* A processor without the C++ layer: flags heart rates above a limit as high. */
#define HB_PLUGIN_LIBRARY
#include <hbagent/plugin.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  int64_t above;
} limit;

static void *limit_create(const hb_host *host, const hb_value *config, hb_error *error) {
  static const char out_of_memory[] = "out of memory";
  limit *self = malloc(sizeof *self);
  (void)host;
  if (self == NULL) {
    if (error->capacity >= sizeof out_of_memory) memcpy(error->text, out_of_memory, sizeof out_of_memory);
    return NULL;
  }
  self->above = 0;
  for (uint32_t i = 0; i < config->count; ++i) {
    /* The elements lie `size` of the first apart: a newer agent's may be larger than ours. */
    const hb_value *item = (const hb_value *)(const void *)((const char *)config->items + i * config->items->size);
    if (strcmp(item->key, "above") == 0) self->above = item->integer;
  }
  return self;
}

static void limit_destroy(void *self) { free(self); }

static int32_t limit_process(void *self, hb_reading *readings, uint32_t *count, uint32_t capacity,
                             const hb_verdicts *verdicts, hb_error *error) {
  const limit *settings = self;
  (void)capacity;
  (void)verdicts;
  (void)error;
  for (uint32_t i = 0; i < *count; ++i) {
    if (readings[i].heart_rate > settings->above) readings[i].flags |= HB_FLAG_HIGH;
  }
  return HB_OK;
}

static const double lowest = 1;
static const double highest = 300;
static const hb_option options[] = {{.size = sizeof(hb_option),
                                     .kind = HB_INTEGER,
                                     .key = "above",
                                     .help = "Heart rates above this are flagged.",
                                     .default_text = "120",
                                     .minimum = &lowest,
                                     .maximum = &highest}};
static const hb_plugin plugin = {.size = sizeof(hb_plugin),
                                 .kind = HB_PROCESSOR,
                                 .name = "limit",
                                 .version = HB_PLUGIN_VERSION,
                                 .summary = "Flags heart rates above a limit as high.",
                                 .options = options,
                                 .option_count = 1,
                                 .create = limit_create,
                                 .destroy = limit_destroy,
                                 .process = limit_process};

const hb_plugin *hb_plugin_v1(uint32_t index) { return index == 0 ? &plugin : NULL; }
