// Customer ids from a pattern such as "cust_{:05}".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace generator {

// Text with one place for the customer's number: {} or, padded with zeros to a width, {:05}.
class IdPattern {
 public:
  // Throws hb::Failed unless every one of `customers` gets a valid id of its own (1 to 41 bytes).
  IdPattern(std::string_view pattern, std::uint32_t customers);

  std::string id(std::uint32_t customer) const;

 private:
  std::string before_;
  std::string after_;
  std::size_t width_ = 0;
  bool numbered_ = false;
};

}  // namespace generator
