// A journal on disk that is not there any more, as the figures of the last run tell.
#pragma once

#include <optional>
#include <string>

#include "config.hpp"

namespace hbagent {

// What the last run left in its journal on disk, when the journal's folder is gone or holds no segment; nullopt: it is
// there, or nobody has run with it. To be called before the journal is opened, and before LastRun is made: they make
// both anew. Throws std::runtime_error where the figures cannot be read.
struct JournalGone {
  std::string readings;  // "12 for sink a, 3 for sink b"; empty: none that the figures know of
  std::string written_at;
};
std::optional<JournalGone> journal_gone(const Config& config);

}  // namespace hbagent
