#include "csv_sink.hpp"

HB_SINK_PLUGIN(CsvSink, "csv", "Appends readings to a CSV file.")
