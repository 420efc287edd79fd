#include "sqlite_sink.hpp"

HB_SINK_PLUGIN(sqlite::SqliteSink, "sqlite", "Stores readings in one SQLite file, once each; no server needed.")
