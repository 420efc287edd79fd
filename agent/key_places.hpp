// Where the keys of an instance stand in the file, so that what a plugin finds wrong is shown there.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "problems.hpp"

namespace hbagent {

// Of one table and all that is in it. Immutable once filled. [any thread]
class KeyPlaces {
 public:
  // `path` as messages write it: `tls.ca_file`, `subscription[0].topic`.
  void add(const std::string& path, Place place) { places_.emplace(path, place); }

  // Of the key whose path `text` begins with; where the file has no such key, of the innermost table or list around it
  // that it has; else `otherwise`. What follows the path is a colon, a space, a comma or nothing, so that texts that
  // begin with a file or an address are not taken for keys.
  Place of(std::string_view text, Place otherwise) const;

 private:
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace hbagent
