// Small files that a plugin keeps in its state folder.
#pragma once

#include <string>
#include <string_view>

namespace hb::codec {

// Puts `text` in the place of what is in the file, durably: after a power loss the file holds one or the other whole.
// Leaves `path`.new behind when it fails. Throws std::system_error with the path. [any thread; one at a time a path]
void replace_file(const std::string& path, std::string_view text);

}  // namespace hb::codec
