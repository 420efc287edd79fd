#include "expected_readings.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "text.hpp"

namespace hbagent {
namespace {

constexpr std::size_t kSlice = 4096;
constexpr std::size_t kSpare = 1024;                      // room for what processors add
constexpr std::int64_t kNewYear = 1'767'225'600'000'000;  // 2026-01-01: any time at which there are readings

const hb_value* find(const hb_value& table, std::string_view key) {
  const auto* const end = table.items + table.count;
  const auto* const found =
      std::find_if(table.items, end, [&](const hb_value& each) { return each.key != nullptr && key == each.key; });
  return found == end ? nullptr : found;
}

}  // namespace

InstanceConfig generator_again(const InstanceConfig& generator, const TimeSpan& span, std::uint64_t count) {
  InstanceConfig again;
  again.place = generator.place;
  again.key_places = generator.key_places;
  again.plugin = generator.plugin;
  again.keys = generator.keys;
  again.values = std::make_unique<ValueTree>();
  ValueTree& tree = *again.values;
  std::vector<hb_value> values;
  const hb_value& before = generator.values->root;  // whose items are referred to: it outlives this one
  for (std::uint32_t i = 0; i < before.count; ++i) {
    const std::string_view key = before.items[i].key;
    if (key != "start" && key != "count" && key != "speed" && key != "resume") values.push_back(before.items[i]);
  }
  const auto set = [&](const char* key, hb_value value) {
    value.key = key;
    values.push_back(value);
  };
  set("start", tree.text(HB_STRING, iso_time(span.from_us)));
  set("count", ValueTree::scalar(HB_INTEGER, static_cast<std::int64_t>(count)));
  set("speed", tree.text(HB_STRING, "max"));
  set("resume", ValueTree::scalar(HB_BOOL, 0));
  tree.root = tree.composite(HB_TABLE, std::move(values));
  return again;
}

ExpectedReadings::ExpectedReadings(const InstanceConfig& source, std::span<const InstanceConfig> processors,
                                   const TimeSpan& span, Logger& logger)
    : span_(span),
      instance_(HB_SOURCE, source, logger, {}, this),
      processors_(processors, source.name(), logger, letters_, {}),
      thread_([this] { thread_main(); }) {}

ExpectedReadings::~ExpectedReadings() {
  queue_.close();
  instance_.request_stop();
  processors_.request_stop();
  thread_.join();
}

void ExpectedReadings::thread_main() {
  std::string error = run();
  instance_.destroy();
  processors_.destroy();
  queue_.finish(std::move(error));
}

std::string ExpectedReadings::run() {
  std::string error;
  const auto named = [&] { return instance_.component() + " cannot make its readings again: " + error; };
  if (!instance_.create(error)) return named();
  if (!processors_.create(error) || processors_.open(error) != HB_OK) return error;
  if (instance_.open(error) != HB_OK) return named();
  const std::int32_t status = instance_.run(error);
  if (!failure_.empty()) return failure_;
  return status == HB_OK || status == HB_END ? "" : named();
}

std::int32_t ExpectedReadings::emit(const hb_reading* readings, std::uint32_t count, std::uint64_t token) {
  std::span<const hb_reading> left(readings, count);
  const auto end =
      std::find_if(left.begin(), left.end(), [&](const auto& each) { return each.time_us >= span_.until_us; });
  const bool last = end != left.end();
  left = left.first(static_cast<std::size_t>(end - left.begin()));
  while (!left.empty()) {
    const auto slice = left.first(std::min(left.size(), kSlice));
    if (const std::int32_t status = hand_on(slice); status != HB_OK) return status;
    left = left.subspan(slice.size());
  }
  token_ = token;
  return last ? HB_END : HB_OK;
}

std::int32_t ExpectedReadings::hand_on(std::span<const hb_reading> readings) {
  if (processors_.empty()) return queue_.push({readings.begin(), readings.end()}) ? HB_OK : HB_END;
  buffer_.resize(kSlice + kSpare);
  std::copy(readings.begin(), readings.end(), buffer_.begin());
  bool failed = false;
  const std::int64_t kept = processors_.process(buffer_, readings.size(), terms_, failed);
  if (failed) failure_ = "a processor has failed";
  if (kept < 0) return HB_END;
  return queue_.push({buffer_.begin(), buffer_.begin() + kept}) ? HB_OK : HB_END;
}

std::unordered_set<std::string> customers_of(const InstanceConfig& generator, Logger& logger) {
  const hb_value* customers = find(generator.values->root, "customers");
  if (customers == nullptr) throw std::runtime_error("the source does not say how many customers it has");
  // As many readings one behind the other are one of each.
  constexpr TimeSpan kFromSomewhere{kNewYear, std::numeric_limits<std::int64_t>::max()};
  const InstanceConfig once =
      generator_again(generator, kFromSomewhere, static_cast<std::uint64_t>(customers->integer));
  ExpectedReadings readings(once, {}, kFromSomewhere, logger);
  std::unordered_set<std::string> ids;
  for (std::vector<hb_reading> batch; readings.next(batch);) {
    for (const hb_reading& each : batch) {
      ids.emplace(each.customer_id, strnlen(each.customer_id, HB_CUSTOMER_ID_CAPACITY));
    }
  }
  return ids;
}

}  // namespace hbagent
