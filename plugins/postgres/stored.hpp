// hbagent.stored/1: the rows of a span of time, in order, straight off the wire.
#pragma once

#include "settings.hpp"

#include <hbagent/sdk.hpp>

namespace postgres {

// Over a connection of its own. `query.table` may name its schema: "archive.heartbeats"; it needs columns customer_id,
// time and heart_rate. Throws ServerError.
void read_stored(const Settings& settings, hb::Host host, const hb::StoredQuery& query, const hb::StoredOutput& output);

}  // namespace postgres
