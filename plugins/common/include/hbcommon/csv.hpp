// Comma-separated values (RFC 4180), one record at a time, on views.
#pragma once

#include <hbcommon/reason.hpp>

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace hb::codec {

// Splits records into fields. Keeps its buffers from record to record. One thread at a time.
class CsvSplitter {
 public:
  explicit CsvSplitter(char separator = ',') : separator_(separator) {}

  // `record` is one record; one line end (LF or CRLF) behind it is ignored. bad_csv: a quote within an unquoted field,
  // text behind a closing quote, or no closing quote. The fields are valid until the next split and as long as `record`
  // is.
  Outcome split(std::string_view record);
  const std::vector<std::string_view>& fields() const { return fields_; }

 private:
  Outcome quoted_field(std::string_view record, std::size_t& position);

  char separator_;
  std::vector<std::string_view> fields_;
  std::deque<std::string> unquoted_;  // fields with doubled quotes; a deque, so that views stay valid
};

}  // namespace hb::codec
