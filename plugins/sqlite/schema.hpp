// The schema: what the tables look like and how an older file becomes the newest.
#pragma once

#include "database.hpp"

#include <span>
#include <string>

namespace sqlite {

// Brings the file from version `version - 1` (PRAGMA user_version) to `version`.
struct Migration {
  int version;
  const char* sql;
};

// PRAGMA application_id of a file that the sink made: "HBAG".
inline constexpr int kApplicationId = 0x48424147;

// Ascending from version 1, without gaps.
std::span<const Migration> migrations();

// Sets up a new file and applies what is missing to an older one, in one transaction; any number of agents may start at
// once. Returns how many were applied. Throws hb::Failed, with the path, for a file that is newer or somebody else's,
// and SqliteError.
int migrate(Database& database, const std::string& path, std::span<const Migration> all);

}  // namespace sqlite
