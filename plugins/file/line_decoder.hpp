// What a source needs of a decoder: one line in, readings and problems out.
#pragma once

#include <hbagent/host.hpp>
#include <hbcommon/reason.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hb::file {

// This file cannot be read as configured; others can.
struct BadFile : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Such lines are passed over.
inline bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// A part of a line that gave no reading.
struct Problem {
  codec::Outcome outcome;
  std::string_view bytes;           // that part; valid as long as the line
  std::size_t readings_before = 0;  // how many readings of its line came before it
  std::size_t element = 0;          // which one of the line's elements, from 1; 0: the line as a whole
  std::string context_id = {};      // of an element: the customer that is named around it; empty: none
};

// Decodes the lines of one file. One thread at a time.
class LineDecoder {
 public:
  virtual ~LineDecoder() = default;

  // Whether the file's first line is a header; then `header` is called with it, also when reading goes on in the
  // middle of the file.
  virtual bool has_header() const { return false; }
  // Throws BadFile.
  virtual void header(std::string_view) {}
  // Appends the line's readings and a problem for each part that gave none. The readings' received_us rise, from this
  // one on at the earliest.
  virtual void decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
                      std::vector<Problem>& problems) = 0;
  // The bytes of a problem once more; those of an element with its context_id.
  virtual void decode_element(std::string_view bytes, std::string_view context_id, std::int64_t received_us,
                              std::vector<Reading>& readings, std::vector<Problem>& problems) {
    static_cast<void>(context_id);
    decode(bytes, received_us, readings, problems);
  }
};

}  // namespace hb::file
