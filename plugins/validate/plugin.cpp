#include "validate_processor.hpp"

HB_PROCESSOR_PLUGIN(ValidateProcessor, "validate", "Rejects what cannot be a heart rate; flags suspect clocks.")
