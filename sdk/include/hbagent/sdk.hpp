// hbagent plugin SDK: write a plain C++20 class, name it in one macro, link nothing.
//
// Source:    Class(const Config&, hb::Host);  void run();                       // emits until host.stopping()
// Processor: Class(const Config&, hb::Host);  void process(hb::MutableBatch&);
// Sink:      Class(const Config&, hb::Host);  void write(hb::Batch);            // returning means delivered
// All have `struct Config` and `static constexpr auto options`; open() and close() are optional. Failures are thrown:
// hb::Retry, hb::Reopen, hb::Failed. A source may have decode(const hb::DecodeInput&, const hb::DecodeOutput&), too:
// see <hbagent/decode.hpp>; a sink stored(const hb::StoredQuery&, const hb::StoredOutput&): see <hbagent/stored.hpp>.
// Every call on one instance comes from one thread.
//
// One plugin in the library: HB_SINK_PLUGIN(CsvSink, "csv", "Appends readings to a CSV file.")
// Several: HB_PLUGINS(hb::source<KafkaSource>("kafka", "..."), hb::sink<KafkaSink>("kafka", "..."))
#ifndef HBAGENT_SDK_HPP
#define HBAGENT_SDK_HPP

#include <hbagent/plugin.h>
#include <hbagent/decode.hpp>
#include <hbagent/host.hpp>
#include <hbagent/options.hpp>
#include <hbagent/receive_clock.hpp>
#include <hbagent/stored.hpp>
#include <hbagent/ticker.hpp>

#include <array>
#include <exception>
#include <memory>

#ifndef HB_PLUGIN_VERSION
#define HB_PLUGIN_VERSION "0.0.0"
#endif

namespace hb {
namespace detail {

inline void copy_text(hb_error* error, const char* text) noexcept {
  if (error == nullptr || error->capacity == 0) return;
  const std::size_t length = std::min<std::size_t>(std::strlen(text), error->capacity - 1);
  std::memcpy(error->text, text, length);
  error->text[length] = '\0';
}

// Runs `body` and turns what it throws into a status and a text: nothing crosses the boundary.
template <class Body>
std::int32_t guarded(hb_error* error, const Body& body) noexcept {
  try {
    return body();
  } catch (const Error& thrown) {
    copy_text(error, thrown.what());
    return thrown.status;
  } catch (const std::exception& thrown) {
    copy_text(error, thrown.what());
  } catch (...) {
    copy_text(error, "the plugin threw something that is no std::exception");
  }
  return HB_RETRY;
}

// The C functions of one plugin class.
template <class Plugin>
struct Adapter {
  using Config = typename Plugin::Config;

  // The host outlives the instance, and hb_host says the same of its texts.
  static void* create(const hb_host* host, const hb_value* values, hb_error* error) noexcept {
    void* self = nullptr;
    guarded(error, [&] {
      Config config{};
      assign_options<Plugin>(*values, config);
      self = std::make_unique<Plugin>(config, Host(*host)).release();
      return HB_OK;
    });
    return self;
  }
  static void destroy(void* self) noexcept { delete static_cast<Plugin*>(self); }
  static std::int32_t open(void* self, hb_error* error) noexcept {
    return guarded(error, [&] {
      if constexpr (requires(Plugin & plugin) { plugin.open(); }) static_cast<Plugin*>(self)->open();
      return HB_OK;
    });
  }
  static void close(void* self) noexcept {
    guarded(nullptr, [&] {
      if constexpr (requires(Plugin & plugin) { plugin.close(); }) static_cast<Plugin*>(self)->close();
      return HB_OK;
    });
  }
  // Returning from run while the agent is not stopping means that the source is finished.
  static std::int32_t run(void* self, hb_error* error) noexcept {
    return guarded(error, [&] {
      static_cast<Plugin*>(self)->run();
      return HB_END;
    });
  }
  static std::int32_t process(void* self, hb_reading* readings, std::uint32_t* count, std::uint32_t capacity,
                              const hb_verdicts* verdicts, hb_error* error) noexcept {
    return guarded(error, [&] {
      MutableBatch batch(readings, *count, capacity, *verdicts);
      static_cast<Plugin*>(self)->process(batch);
      *count = static_cast<std::uint32_t>(batch.size());
      return HB_OK;
    });
  }
  static std::int32_t write(void* self, const hb_reading* readings, std::uint32_t count, const hb_verdicts* verdicts,
                            hb_error* error) noexcept {
    return guarded(error, [&] {
      static_cast<Plugin*>(self)->write(Batch({readings, count}, *verdicts));
      return HB_OK;
    });
  }
  static const void* extension(void* self, const char* id) noexcept {
    const void* found = nullptr;
    guarded(nullptr, [&] {
      if constexpr (requires(Plugin & plugin) { plugin.extension(id); }) {
        found = static_cast<Plugin*>(self)->extension(id);
      }
      return HB_OK;
    });
    if constexpr (Decodes<Plugin>) {
      static constexpr hb_decoder kDecoder{sizeof(hb_decoder), decode};
      if (found == nullptr && std::string_view(id) == HB_DECODE_EXTENSION) found = &kDecoder;
    }
    if constexpr (HandsBackStored<Plugin>) {
      static constexpr hb_stored kStored{sizeof(hb_stored), stored};
      if (found == nullptr && std::string_view(id) == HB_STORED_EXTENSION) found = &kStored;
    }
    return found;
  }
  static std::int32_t stored(void* self, const hb_stored_query* query, const hb_stored_output* output,
                             hb_error* error) noexcept {
    return guarded(error, [&] {
      if constexpr (HandsBackStored<Plugin>)
        static_cast<Plugin*>(self)->stored(StoredQuery(*query), StoredOutput(*output));
      return HB_OK;
    });
  }
  static std::int32_t decode(void* self, const hb_decode_input* input, const hb_decode_output* output,
                             hb_error* error) noexcept {
    return guarded(error, [&] {
      if constexpr (Decodes<Plugin>) static_cast<Plugin*>(self)->decode(DecodeInput(*input), DecodeOutput(*output));
      return HB_OK;
    });
  }
};

template <class Plugin>
hb_plugin describe_plugin(std::uint32_t kind, const char* name, const char* summary) {
  using Functions = Adapter<Plugin>;
  const auto& table = option_table<Plugin, typename Plugin::Config>();
  hb_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.kind = kind;
  plugin.name = name;
  plugin.version = HB_PLUGIN_VERSION;
  plugin.summary = summary;
  plugin.options = table.data();
  plugin.option_count = static_cast<std::uint32_t>(table.size());
  if constexpr (requires { Plugin::batch_size; }) plugin.batch_size = Plugin::batch_size;
  plugin.create = Functions::create;
  plugin.destroy = Functions::destroy;
  plugin.open = Functions::open;
  plugin.close = Functions::close;
  plugin.extension = Functions::extension;
  return plugin;
}

}  // namespace detail

template <class Plugin>
hb_plugin source(const char* name, const char* summary) {
  hb_plugin plugin = detail::describe_plugin<Plugin>(HB_SOURCE, name, summary);
  plugin.run = detail::Adapter<Plugin>::run;
  return plugin;
}
template <class Plugin>
hb_plugin processor(const char* name, const char* summary) {
  hb_plugin plugin = detail::describe_plugin<Plugin>(HB_PROCESSOR, name, summary);
  plugin.process = detail::Adapter<Plugin>::process;
  return plugin;
}
// `static constexpr std::uint32_t batch_size` in the class: readings a write where the configuration says nothing.
template <class Plugin>
hb_plugin sink(const char* name, const char* summary) {
  hb_plugin plugin = detail::describe_plugin<Plugin>(HB_SINK, name, summary);
  plugin.write = detail::Adapter<Plugin>::write;
  return plugin;
}

template <class... Plugins>
std::array<hb_plugin, sizeof...(Plugins)> plugins(const Plugins&... all) {
  return {all...};
}

}  // namespace hb

#define HB_PLUGINS(...)                                                                                  \
  extern "C" __attribute__((visibility("default"))) const hb_plugin* hb_plugin_v1(std::uint32_t index) { \
    try {                                                                                                \
      static const auto plugins = hb::plugins(__VA_ARGS__);                                              \
      return index < plugins.size() ? &plugins[index] : nullptr;                                         \
    } catch (...) { /* out of memory while the tables are made: the library offers nothing */            \
      return nullptr;                                                                                    \
    }                                                                                                    \
  }
#define HB_SOURCE_PLUGIN(Class, name, summary) HB_PLUGINS(hb::source<Class>(name, summary))
#define HB_PROCESSOR_PLUGIN(Class, name, summary) HB_PLUGINS(hb::processor<Class>(name, summary))
#define HB_SINK_PLUGIN(Class, name, summary) HB_PLUGINS(hb::sink<Class>(name, summary))

#endif
