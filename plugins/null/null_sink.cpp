#include "null_sink.hpp"

HB_SINK_PLUGIN(NullSink, "null", "Counts readings and forgets them; for benchmarks and dry runs.")
