// The agent's version and that of the plugin ABI it speaks.
#pragma once

namespace hbagent {

inline constexpr const char* kVersion = HBAGENT_VERSION;
inline constexpr const char* kAbiVersion = HBAGENT_ABI_VERSION;

}  // namespace hbagent
