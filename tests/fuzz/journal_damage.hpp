// Makes a journal's files out of the fuzzer's bytes: a base journal with damage to it, or the bytes themselves.
#pragma once

#include <span>

#include "base_journal.hpp"

namespace hbagent {

struct DamagedJournal {
  Files files;
  const BaseJournal* base = nullptr;
  // How much the journal promises of it.
  enum class Kind {
    bytes,   // bytes of it were changed or lost: every frame that they were not in is read
    pieces,  // whole files or stretches were removed, copied or moved: what is read is true
    forged   // frames say what no journal has written: nothing but no crash
  } kind = Kind::bytes;

  // Whether the frame lies in its file as the journal has written it.
  bool intact(const BaseJournal::Frame& frame) const;
};

// Any bytes make some journal. The first says which base and whether it is damaged or replaced; steps follow, each an
// operation, a file, a place and what the operation needs.
DamagedJournal make_damaged(std::span<const std::uint8_t> input);

// Inputs to begin with, each of another kind; the same at every call.
std::vector<std::string> seed_inputs();

}  // namespace hbagent
