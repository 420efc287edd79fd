// Text of unknown origin, for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace hbagent {

// What would move the cursor, change colours or turn the direction of writing is shown as its number instead,
// \u{202E}: C0 and C1 controls, DEL, and Unicode's directional controls (UAX #9, section 2). A byte that is no UTF-8 is
// shown as \x{80}. [any thread]
std::string visible_line(std::string_view text);
// The same, but for tabs and line ends (LF, CR LF).
std::string visible_text(std::string_view text);

}  // namespace hbagent
