#include "snapshot.hpp"

#include <hbagent/plugin.h>

#include <string_view>

#include "json_text.hpp"

namespace hb::dashboard {
namespace {

constexpr std::int64_t kMillisecond = 1000;  // in microseconds

std::string_view name_of(std::uint16_t flag) {
  switch (flag) {
    case HB_FLAG_LOW:
      return "low";
    case HB_FLAG_HIGH:
      return "high";
    case HB_FLAG_JUMP:
      return "jump";
    case HB_FLAG_FLATLINE:
      return "flatline";
    default:
      return "clock";
  }
}

template <class Range, class Append>
void append_list(JsonText& json, const Range& range, const Append& append) {
  json.raw("[");
  bool first = true;
  for (const auto& element : range) {
    if (!first) json.raw(",");
    first = false;
    append(element);
  }
  json.raw("]");
}

void append_values(JsonText& json, const auto& values) {
  append_list(json, values, [&](std::int32_t value) {
    if (value == kNoReading) {
      json.raw("null");
    } else {
      json.number(value);
    }
  });
}

template <class T>
JsonText& append_optional(JsonText& json, const std::optional<T>& value) {
  return value ? json.number(*value) : json.raw("null");
}

void append_tile(JsonText& json, const Tile& tile) {
  json.raw(R"({"id":)").text(tile.id).raw(R"(,"heart_rate":)").number(tile.heart_rate);
  json.raw(R"(,"time_ms":)").number(tile.time_us / kMillisecond);
  json.raw(R"(,"age_s":)").decimal(static_cast<double>(tile.age_us) / 1e6, 1).raw(R"(,"flags":[)");
  bool first = true;
  for (std::uint16_t flag = HB_FLAG_LOW; flag <= HB_FLAG_CLOCK; flag = static_cast<std::uint16_t>(flag << 1)) {
    if ((tile.flags & flag) == 0) continue;
    json.raw(first ? "\"" : ",\"").raw(name_of(flag)).raw("\"");
    first = false;
  }
  json.raw(R"(],"severity":)").number(tile.severity).raw(R"(,"trend":)").number(tile.trend).raw(R"(,"spark":)");
  append_values(json, tile.spark);
  json.raw("}");
}

void append_totals(JsonText& json, const Overview& overview) {
  const auto& window = overview.window;
  json.raw(R"("totals":{"readings":)").number(overview.readings);
  json.raw(R"(,"readings_per_s":)").decimal(overview.readings_per_s, 1).raw(R"(,"lag_ms":)");
  append_optional(json, overview.lag_us ? std::optional(*overview.lag_us / kMillisecond) : std::nullopt);
  json.raw(R"(,"known":)").number(overview.known).raw(R"(,"active":)").number(overview.active);
  json.raw(R"(,"stale":)").number(overview.stale).raw(R"(,"low":)").number(overview.low);
  json.raw(R"(,"high":)").number(overview.high).raw(R"(,"jump":)").number(overview.jump);
  json.raw(R"(,"flatline":)").number(overview.flatline).raw(R"(,"count":)").number(window.count);
  json.raw(R"(,"average":)");
  if (window.count == 0) {
    json.raw("null");
  } else {
    json.decimal(static_cast<double>(window.sum) / static_cast<double>(window.count), 2);
  }
  append_optional(json.raw(R"(,"min":)"), window.minimum);
  append_optional(json.raw(R"(,"max":)"), window.maximum).raw("}");
}

}  // namespace

void append_snapshot(std::string& out, const About& about, const Overview& overview, std::uint64_t n) {
  JsonText json(out);
  json.raw(R"({"version":1,"n":)").number(n).raw(R"(,"time_ms":)").number(overview.now_us / kMillisecond);
  json.raw(R"(,"agent":)").text(about.agent).raw(R"(,"started_ms":)").number(about.started_ms);
  json.raw(R"(,"window_s":)").number(about.window_s).raw(R"(,"refresh_ms":)").number(about.refresh_ms);
  json.raw(R"(,"stale_after_s":)").decimal(about.stale_after_s, 1);
  json.raw(R"(,"limits":{"low":)").number(about.low).raw(R"(,"high":)").number(about.high).raw("},");
  append_totals(json, overview);
  json.raw(R"(,"distribution":{"from":)").number(Distribution::kFrom).raw(R"(,"step":)").number(Distribution::kStep);
  json.raw(R"(,"counts":)");
  append_list(json, overview.window.bins, [&](std::uint64_t count) { json.number(count); });
  json.raw(R"(},"wall":)");
  append_list(json, overview.wall, [&](const Tile& tile) { append_tile(json, tile); });
  json.raw(R"(,"alerts":)");
  append_list(json, overview.alerts, [&](const Alert& alert) {
    json.raw(R"({"n":)").number(alert.n).raw(R"(,"time_ms":)").number(alert.time_us / kMillisecond);
    json.raw(R"(,"id":)").text(alert.id).raw(R"(,"heart_rate":)").number(alert.heart_rate).raw(R"(,"kind":")");
    json.raw(name_of(alert.kind)).raw(alert.began ? R"(","state":"began"})" : R"(","state":"ended"})");
  });
  json.raw("}");
}

void append_customers(std::string& out, const CustomerList& list) {
  JsonText json(out);
  json.raw(R"({"matched":)").number(list.matched).raw(R"(,"customers":)");
  append_list(json, list.tiles, [&](const Tile& tile) { append_tile(json, tile); });
  json.raw("}");
}

void append_history(std::string& out, const History& history) {
  JsonText json(out);
  json.raw(R"({"from_s":)").number(history.from_s).raw(R"(,"step_s":1,"series":)");
  append_list(json, history.series, [&](const Series& series) {
    json.raw(R"({"id":)").text(series.id).raw(R"(,"known":)").boolean(series.known).raw(R"(,"values":)");
    append_values(json, series.values);
    json.raw(R"(,"flags":)");
    append_list(json, series.flags, [&](std::uint8_t flags) { json.number(static_cast<unsigned>(flags)); });
    json.raw("}");
  });
  json.raw("}");
}

void append_error(std::string& out, std::string_view text) {
  JsonText(out).raw(R"({"error":)").text(text).raw("}");
}

}  // namespace hb::dashboard
