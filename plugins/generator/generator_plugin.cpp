#include "generator_source.hpp"

HB_SOURCE_PLUGIN(GeneratorSource, "generator",
                 "Realistic synthetic heart rates for any number of customers, reproducible from a seed.")
