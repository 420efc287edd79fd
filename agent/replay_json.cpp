#include "replay_json.hpp"

#include <nlohmann/json.hpp>

#include "text.hpp"

namespace hbagent {
namespace {

using nlohmann::json;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Whatever does not fit what is asked of it is no message of ours.
template <class Value, class Read>
std::optional<Value> parse(std::string_view text, const Read& read) {
  try {
    return read(json::parse(text));
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::string error_in_json(const std::string& text) {
  const auto error = parse<std::string>(text, [](const json& value) { return value.at("error").get<std::string>(); });
  return one_line(error.value_or(text));
}

std::string to_json(const LetterSelection& selection) {
  return text_of({{"reason", selection.reason}, {"source", selection.source}, {"ids", selection.ids}});
}

std::optional<LetterSelection> selection_from_json(std::string_view text) {
  return parse<LetterSelection>(text, [](const json& value) {
    return LetterSelection{value.at("reason").get<std::string>(), value.at("source").get<std::string>(),
                           value.at("ids").get<std::set<std::uint64_t>>()};
  });
}

std::string to_json(const ReplayProgress& progress) {
  const ReplayResult& result = progress.result;
  json left = json::array();
  for (const auto& [why, each] : result.left_why) {
    left.push_back({{"why", why}, {"count", each.count}, {"first_id", each.first_id}});
  }
  return text_of({{"running", progress.running},
                  {"selected", result.selected},
                  {"replayed", result.replayed},
                  {"refused", result.refused},
                  {"left", result.left},
                  {"refused_by", result.refused_by},
                  {"left_why", left},
                  {"unknown_ids", result.unknown_ids},
                  {"undelivered", result.undelivered},
                  {"error", result.error}});
}

std::optional<ReplayProgress> progress_from_json(std::string_view text) {
  return parse<ReplayProgress>(text, [](const json& value) {
    ReplayProgress progress;
    ReplayResult& result = progress.result;
    value.at("running").get_to(progress.running);
    value.at("selected").get_to(result.selected);
    value.at("replayed").get_to(result.replayed);
    value.at("refused").get_to(result.refused);
    value.at("left").get_to(result.left);
    value.at("refused_by").get_to(result.refused_by);
    for (const json& each : value.at("left_why")) {
      result.left_why[each.at("why").get<std::string>()] = {each.at("count").get<std::uint64_t>(),
                                                            each.at("first_id").get<std::uint64_t>()};
    }
    value.at("unknown_ids").get_to(result.unknown_ids);
    value.at("undelivered").get_to(result.undelivered);
    value.at("error").get_to(result.error);
    return progress;
  });
}

}  // namespace hbagent
