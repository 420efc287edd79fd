#include "file_sink.hpp"
#include "file_source.hpp"

HB_PLUGINS(hb::source<hb::file::FileSource>("file", "Reads CSV or JSON lines from files, a glob or standard input."),
           hb::sink<hb::file::FileSink>("file", "Appends readings to a rotated file or standard output."))
