// The line decoder that a configuration asks for.
#pragma once

#include <memory>

#include "line_decoder.hpp"
#include "path_template.hpp"
#include "source_config.hpp"

namespace hb::file {

// Throws Failed for a configuration that can decode nothing.
void check_decoding(const SourceConfig& config, const PathTemplate& path);

// For one file. Throws BadFile where its name gives no customer id though it has to.
std::unique_ptr<LineDecoder> make_decoder(const SourceConfig& config, const FoundFile& file);

}  // namespace hb::file
