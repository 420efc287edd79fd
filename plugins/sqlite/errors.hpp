// What the sink makes of SQLite's answers.
#pragma once

#include "database.hpp"

#include <string>

namespace sqlite {

// Throws hb::Retry, hb::Reopen or hb::Failed, with the path and what to do.
[[noreturn]] void raise(const SqliteError& error, const std::string& path);

}  // namespace sqlite
