// Documentation and samples made from option tables.
#pragma once

#include <string>

#include "library.hpp"

namespace hbagent {

// For a terminal: what it is, each option with kind, default, range and help, and a sample.
std::string plugin_help(const Plugin& plugin);
// The options block of a README: a table and a sample in a code fence.
std::string plugin_markdown(const Plugin& plugin);
// A [[source]], [[processor]] or [[sink]] table with every option: required ones set to their example, others commented
// out with their default. `##` comments explain, as in Telegraf's samples.
std::string plugin_sample(const Plugin& plugin);

}  // namespace hbagent
