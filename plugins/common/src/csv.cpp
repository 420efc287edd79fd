#include "hbcommon/csv.hpp"

namespace hb::codec {

Outcome CsvSplitter::quoted_field(std::string_view record, std::size_t& position) {
  const std::size_t start = position + 1;
  std::size_t from = start;
  std::string* joined = nullptr;
  while (true) {
    const std::size_t quote = record.find('"', from);
    if (quote == std::string_view::npos) return {Reason::bad_csv, "no closing quote"};
    const bool doubled = quote + 1 < record.size() && record[quote + 1] == '"';
    const std::string_view part = record.substr(from, quote - from);
    if (!doubled) {
      if (joined == nullptr) {
        fields_.push_back(part);
      } else {
        joined->append(part);
        fields_.push_back(*joined);
      }
      position = quote + 1;
      return {};
    }
    if (joined == nullptr) joined = &unquoted_.emplace_back();
    joined->append(part).push_back('"');
    from = quote + 2;
  }
}

Outcome CsvSplitter::split(std::string_view record) {
  fields_.clear();
  unquoted_.clear();
  if (!record.empty() && record.back() == '\n') record.remove_suffix(1);
  if (!record.empty() && record.back() == '\r') record.remove_suffix(1);
  std::size_t position = 0;
  while (true) {
    if (position < record.size() && record[position] == '"') {
      if (const Outcome read = quoted_field(record, position); !read.ok()) return read;
      if (position < record.size() && record[position] != separator_) {
        return {Reason::bad_csv, "text behind a closing quote"};
      }
    } else {
      std::size_t end = record.find(separator_, position);
      if (end == std::string_view::npos) end = record.size();
      const std::string_view field = record.substr(position, end - position);
      if (field.find('"') != std::string_view::npos) return {Reason::bad_csv, "a quote within an unquoted field"};
      fields_.push_back(field);
      position = end;
    }
    if (position >= record.size()) return {};
    ++position;
  }
}

}  // namespace hb::codec
