// CSV payloads: one record a line.
#pragma once

#include "decoder_format.hpp"
#include "hbcommon/csv.hpp"

namespace hb::codec {

class Decoder::CsvFormat : public Decoder::Format {
 public:
  CsvFormat(const Mapping& mapping, char separator);
  void decode(const Payload& payload, std::vector<Decoded>& out) override;
  bool needs_header() const override { return by_header_; }
  Outcome use_header(std::string_view line) override;

 private:
  // A column by number, or by the name that the header gives a number to.
  struct Column {
    std::optional<std::string> header;
    std::size_t index = 0;
  };
  std::optional<Column> column(const std::optional<std::int64_t>& index, const std::optional<std::string>& header);
  Outcome locate(std::string_view header_line);
  Outcome read(const Payload& payload, std::string_view record, Reading& reading);

  FixedCustomer fixed_customer_;  // where customer_id_ is none
  std::optional<Column> customer_id_;
  std::optional<Column> time_;  // none: the receive time
  std::optional<Column> heart_rate_;
  TimeReader time_reader_;
  std::size_t columns_ = 0;  // fields of a record
  bool by_header_ = false;
  bool located_ = false;  // use_header gave the columns for all payloads
  CsvSplitter splitter_;
};

}  // namespace hb::codec
