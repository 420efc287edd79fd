// The schema: what the tables look like and how an older one becomes the newest.
#pragma once

#include "session.hpp"

#include <span>

namespace postgres {

// Brings the schema from version `version - 1` to `version`; it meets objects that somebody else made and keeps them.
struct Migration {
  int version;
  const char* summary;
  const char* sql;
};

// Ascending from version 1, without gaps.
std::span<const Migration> migrations();

// Applies what is missing, in one transaction under an advisory lock, so that any number of agents may start at once.
// Does not touch anything when the schema is at the newest version. Returns how many were applied. Throws hb::Failed
// where a newer hbagent has been here, or where the role may not, and ServerError.
int migrate(const Settings& settings, hb::Host host, std::span<const Migration> all);

// Throws hb::Failed where the tables are not there or not as the sink writes them.
void verify(const Settings& settings, hb::Host host);

// Held, for the transaction, by whoever changes the schema or adds partitions. Where it is taken the log says by whom,
// and after the session's lock_timeout (half of Settings::timeout) so does a ServerError 55P03, which is tried again.
// [any thread]
void lock_schema(pqxx::work& transaction, const Settings& settings, hb::Host host);

}  // namespace postgres
