// What a mapping must say, and must not, before a decoder is made of it.
#pragma once

#include "hbcommon/mapping.hpp"

#include <string>

namespace hb::codec {

// Throws hb::Failed with the key that is wrong.
[[noreturn]] void mapping_error(const std::string& text);

// Throws hb::Failed, naming the key, for one that belongs to another decoder, for two that contradict each other, and
// where none says whose reading it is, when it was or how much. `offered`: what the source knows from outside.
void check_mapping(const Mapping& mapping, CustomerFrom offered);

}  // namespace hb::codec
