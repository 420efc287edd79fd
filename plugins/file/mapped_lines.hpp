// Lines decoded as a mapping says.
#pragma once

#include <hbcommon/decoder.hpp>

#include <string>

#include "line_decoder.hpp"

namespace hb::file {

class MappedLines final : public LineDecoder {
 public:
  // `fixed_id` is what customer_id = "file_name" stands for. `skip_first`: the first line is a header, though columns
  // are mapped by number. Throws Failed for a mapping that cannot work.
  MappedLines(const codec::Mapping& mapping, const codec::DecoderSettings& settings, std::string fixed_id,
              bool skip_first);
  bool has_header() const override { return skip_first_ || decoder_.needs_header(); }
  void header(std::string_view line) override;
  void decode(std::string_view line, std::int64_t received_us, std::vector<Reading>& readings,
              std::vector<Problem>& problems) override;
  void decode_element(std::string_view bytes, std::string_view context_id, std::int64_t received_us,
                      std::vector<Reading>& readings, std::vector<Problem>& problems) override;

 private:
  void sort(std::vector<Reading>& readings, std::vector<Problem>& problems) const;

  codec::Decoder decoder_;
  std::string fixed_id_;
  bool skip_first_;
  bool elements_;  // a line may hold several readings
  std::vector<codec::Decoded> decoded_;
};

}  // namespace hb::file
