// Short-lived sessions through libpqxx for schema, partitions and upkeep. Works with libpqxx 6.4 and 7.10.
#pragma once

#include "settings.hpp"
#include "silence.hpp"

#include <hbagent/sdk.hpp>
#include <pqxx/pqxx>

#include <chrono>
#include <functional>
#include <stop_token>

namespace postgres {

// Connects, runs `body` in one transaction, commits, disconnects. Ends with an error when it takes longer than
// `limit`, which is also the statement_timeout, and soon after the agent begins to stop or `stop` is requested: the
// server is then asked to cancel the statement, and so lets go of its locks. Throws ServerError; what else `body`
// throws passes through, and nothing is committed. `silence`, where a write waits for it, learns when that takes long.
// [any thread]
void in_transaction(const Settings& settings, hb::Host host, std::chrono::milliseconds limit,
                    const std::function<void(pqxx::work&)>& body, Silence* silence = nullptr,
                    const std::stop_token& stop = {});

}  // namespace postgres
