// What is wrong with a configuration: all of it at once, each with its place.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hbagent {

struct Place {
  unsigned line = 0;  // from 1; 0: the file as a whole
  unsigned column = 0;
};

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  // `text` says what was found, what is allowed and what to do.
  void add(Place place, const std::string& text) {
    std::string where = file_;
    if (place.line > 0) where += ':' + std::to_string(place.line) + ':' + std::to_string(place.column);
    lines_.push_back(where + ": " + text);
  }
  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::vector<std::string> lines_;
};

}  // namespace hbagent
