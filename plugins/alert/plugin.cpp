#include "alert_processor.hpp"

HB_PROCESSOR_PLUGIN(hb::alert::AlertProcessor, "alert", "Flags heart rates below, above or far from what they were.")
