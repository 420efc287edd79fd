// A plugin written against the C ABI that lets exceptions out of every function, which the ABI forbids.
#include <hbagent/plugin.h>

#include <cstdint>
#include <stdexcept>

namespace {

#if defined(VARIANT_THROWS_IN_CREATE)
constexpr bool kThrowsInCreate = true, kThrowsInOpen = false;
#elif defined(VARIANT_THROWS_IN_OPEN)
constexpr bool kThrowsInCreate = false, kThrowsInOpen = true;
#else
constexpr bool kThrowsInCreate = false, kThrowsInOpen = false;
#endif

[[noreturn]] void fail(const char* where) {
  throw std::runtime_error(where);
}

int self;
const hb_host* the_host;

void* create_sound(const hb_host* host, const hb_value*, hb_error*) {
  the_host = host;
  return &self;
}
void* create_throws(const hb_host*, const hb_value*, hb_error*) {
  fail("create");
}
void destroy_throws(void*) {
  fail("destroy");
}
std::int32_t open_throws(void*, hb_error*) {
  fail("open");
}
void close_throws(void*) {
  fail("close");
}
std::int32_t run_throws(void*, hb_error*) {
  fail("run");
}
std::int32_t process_throws(void*, hb_reading*, std::uint32_t*, std::uint32_t, const hb_verdicts*, hb_error*) {
  fail("process");
}
std::int32_t write_throws(void*, const hb_reading*, std::uint32_t, const hb_verdicts*, hb_error*) {
  fail("write");
}

hb_plugin make(std::uint32_t kind) {
  hb_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.kind = kind;
  plugin.name = "throws";
  plugin.create = create_sound;
  plugin.destroy = destroy_throws;
  plugin.close = close_throws;
  plugin.run = run_throws;
  plugin.process = process_throws;
  plugin.write = write_throws;
  if (kThrowsInCreate) plugin.create = create_throws;
  if (kThrowsInOpen) plugin.open = open_throws;
  return plugin;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const hb_plugin* hb_plugin_v1(std::uint32_t index) {
#if defined(VARIANT_THROWS_IN_ENTRY)
  if (index == 0) fail("entry");
#endif
  static const hb_plugin plugins[] = {make(HB_SOURCE), make(HB_PROCESSOR), make(HB_SINK)};
  return index < 3 ? &plugins[index] : nullptr;
}
