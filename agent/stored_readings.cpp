#include "stored_readings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "schema.hpp"

namespace hbagent {

InstanceConfig sink_with(const Plugin& plugin, const std::string& key, const std::string& text) {
  InstanceConfig sink;
  sink.plugin = &plugin;
  sink.keys.name = plugin.name;
  sink.keys.plugin = plugin.name;
  sink.values = std::make_unique<ValueTree>();
  ValueTree& tree = *sink.values;
  Problems problems("hbagent audit");
  std::vector<hb_value> values =
      SchemaReader(problems, tree, fmt::format("sink \"{}\"", plugin.name)).read(toml::table(), plugin.options);
  if (!problems.empty()) throw std::runtime_error(problems.lines().front());
  std::erase_if(values, [&](const hb_value& each) { return key == each.key; });
  hb_value value = tree.text(HB_STRING, text);  // as it is: the shell has put in what it wanted
  value.key = tree.keep(key);
  values.push_back(value);
  tree.root = tree.composite(HB_TABLE, std::move(values));
  return sink;
}

StoredReadings::StoredReadings(const InstanceConfig& sink, std::string table, const TimeSpan& span, Logger& logger)
    : table_(std::move(table)), span_(span), instance_(HB_SINK, sink, logger, {}, nullptr), thread_([this] {
        std::string error = run();
        instance_.destroy();
        queue_.finish(std::move(error));
      }) {}

StoredReadings::~StoredReadings() {
  queue_.close();
  instance_.request_stop();
  thread_.join();
}

std::string StoredReadings::run() {
  std::string error;
  if (!instance_.create(error)) return error;
  const hb_stored stored = instance_.stored();
  if (stored.read == nullptr) {
    return fmt::format("the plugin \"{}\" cannot hand back what it has stored", instance_.config().plugin->name);
  }
  hb_stored_query query{};
  query.size = sizeof query;
  query.table = table_.empty() ? nullptr : table_.c_str();
  query.from_us = span_.from_us;
  query.until_us = span_.until_us;
  struct Taker {
    ReadingQueue& queue;
    bool out_of_memory;
  } taker{queue_, false};
  hb_stored_output output{};
  output.size = sizeof output;
  output.context = &taker;
  output.readings = [](void* context, const hb_reading* readings, std::uint32_t count) -> std::int32_t {
    auto& to = *static_cast<Taker*>(context);
    try {  // nothing that is thrown here may pass through the plugin
      return to.queue.push({readings, readings + count}) ? HB_OK : HB_END;
    } catch (const std::exception&) {
      to.out_of_memory = true;
      return HB_END;
    }
  };
  const std::int32_t status = instance_.read_stored(stored, query, output, error);
  if (taker.out_of_memory) return "out of memory";
  return status == HB_OK ? "" : error;
}

}  // namespace hbagent
