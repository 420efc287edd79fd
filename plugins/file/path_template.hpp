// The `path` of a source: a path, a glob, or either with {customer_id} in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hb::file {

struct FoundFile {
  std::string path;
  std::string customer_id;  // what {customer_id} stands for in this path; empty without it
};

// "/data/{customer_id}.csv" finds what "/data/*.csv" finds and takes the customer from the name.
class PathTemplate {
 public:
  // Throws std::invalid_argument for a template that holds {customer_id} twice, or any other brace pair.
  explicit PathTemplate(std::string_view text);

  // Standard input, written "-".
  bool is_stdin() const { return text_ == "-"; }
  // Whether it names a customer.
  bool captures() const { return captures_; }
  // Whether it can find more than one file.
  bool is_pattern() const { return pattern_; }
  const std::string& text() const { return text_; }
  // The files that exist now, in order of name: for a pattern regular files, for a plain path whatever can be read as
  // one, such as a FIFO. Throws std::runtime_error when a folder cannot be read.
  std::vector<FoundFile> find() const;
  // A file of that path, whether it exists or not; nullopt where the template cannot have found it.
  std::optional<FoundFile> at(const std::string& path) const;
  // Why a plain path can never be read as it is now, and what to do; empty where it can be, and for a pattern.
  std::string obstacle() const;
  // Why find() found nothing.
  std::string why_nothing() const;

 private:
  std::vector<std::string> matches() const;
  std::string captured(const std::string& path) const;

  std::string text_;
  std::string glob_;
  bool captures_ = false;
  bool pattern_ = false;
  std::string before_, after_;  // {customer_id}
};

}  // namespace hb::file
