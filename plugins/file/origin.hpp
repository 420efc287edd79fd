// Where a line, or one of its elements, stands: what dead letters say of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hb::file {

// "readings.jsonl:17", or "readings.jsonl:17#3" for the third of the line's elements.
struct Origin {
  std::string path;
  std::uint64_t line = 0;     // from 1
  std::uint64_t element = 0;  // from 1; 0: the line as a whole

  std::string text() const;
  static std::optional<Origin> parse(std::string_view text);
};

}  // namespace hb::file
