// The reasons that the plugins of this tree, and the agent itself, give for dead letters and discards. Plugins from
// elsewhere may give others.
#pragma once

#include <string_view>

namespace hbagent {

bool is_known_reason(std::string_view reason);  // [any thread]

}  // namespace hbagent
