#include "postgres_sink.hpp"

HB_SINK_PLUGIN(postgres::PostgresSink, "postgres", "Stores readings in PostgreSQL, once each, at the speed of COPY.")
