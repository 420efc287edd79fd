// The layouts that need no mapping: what the sink `file` writes, and any CSV with the same column names.
#pragma once

#include <hbcommon/csv.hpp>

#include <cstddef>
#include <optional>
#include <string>

#include "line_decoder.hpp"

namespace hb::file {

// JSON objects in the wire format. `fixed_id`, where it is not empty, is the customer of them all.
class WireLines final : public LineDecoder {
 public:
  explicit WireLines(std::string fixed_id) : fixed_id_(std::move(fixed_id)) {}
  void decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
              std::vector<Problem>& problems) override;

 private:
  std::string fixed_id_;
};

// CSV with a header that names time, heart_rate, customer_id (unless there is a fixed id) and perhaps flags, in any
// order and among other columns.
class PlainCsvLines final : public LineDecoder {
 public:
  PlainCsvLines(char separator, const std::string& fixed_id);
  bool has_header() const override { return true; }
  void header(std::string_view line) override;
  void decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
              std::vector<Problem>& problems) override;

 private:
  codec::Outcome read(std::string_view line, Reading& reading);

  codec::CsvSplitter splitter_;
  Reading template_{};  // with the fixed id
  bool fixed_;
  std::size_t time_ = 0, heart_rate_ = 0, width_ = 0;
  std::optional<std::size_t> customer_id_, flags_;
};

}  // namespace hb::file
