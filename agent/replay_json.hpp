// What the control socket carries of a replay, as JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "replay.hpp"

namespace hbagent {

struct ReplayProgress {
  bool running = false;
  ReplayResult result;
};

std::string to_json(const LetterSelection& selection);
std::string to_json(const ReplayProgress& progress);
// nullopt: not what the other two write.
std::optional<LetterSelection> selection_from_json(std::string_view text);
std::optional<ReplayProgress> progress_from_json(std::string_view text);
// What a refusal says went wrong; a text of another kind as it is, on one line.
std::string error_in_json(const std::string& text);

}  // namespace hbagent
