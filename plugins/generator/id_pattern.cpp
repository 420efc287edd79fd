#include "id_pattern.hpp"

#include <charconv>
#include <hbagent/host.hpp>
#include <hbcommon/customer_id.hpp>

namespace generator {
namespace {

[[noreturn]] void refuse(std::string_view pattern, const std::string& why) {
  throw hb::Failed("id_pattern = \"" + std::string(pattern) + "\": " + why);
}

// The width of "{}" and "{:05}", written without the braces.
std::size_t parse_width(std::string_view pattern, std::string_view place) {
  if (place.empty()) return 0;
  std::size_t width = 0;
  const char* const end = place.data() + place.size();
  const bool padded = place.size() > 2 && place.substr(0, 2) == ":0";
  const auto result = std::from_chars(padded ? place.data() + 2 : end, end, width);
  if (!padded || result.ec != std::errc() || result.ptr != end) {
    refuse(pattern, "\"{" + std::string(place) + "}\" is neither {} nor a zero-padded width such as {:05}");
  }
  return width;
}

}  // namespace

IdPattern::IdPattern(std::string_view pattern, std::uint32_t customers) {
  const std::size_t open = pattern.find('{');
  const std::size_t close = pattern.find('}');
  if (open == std::string_view::npos && close == std::string_view::npos) {
    if (customers > 1) refuse(pattern, "has no {} for the customer's number, so all customers would share one id");
    before_ = pattern;
  } else {
    if (open == std::string_view::npos || close == std::string_view::npos || close < open ||
        pattern.find_first_of("{}", close + 1) != std::string_view::npos) {
      refuse(pattern, "needs exactly one {} or {:05}, and no other brace");
    }
    numbered_ = true;
    before_ = pattern.substr(0, open);
    after_ = pattern.substr(close + 1);
    width_ = parse_width(pattern, pattern.substr(open + 1, close - open - 1));
  }

  const std::size_t digits = numbered_ ? std::max(width_, std::to_string(customers - 1).size()) : 0;
  const std::size_t longest = before_.size() + digits + after_.size();
  if (longest > hb::kMaxCustomerId) {
    refuse(pattern, "gives ids of up to " + std::to_string(longest) + " bytes; at most 41 are allowed");
  }
  if (const auto outcome = hb::codec::check_customer_id(id(0)); !outcome.ok()) refuse(pattern, outcome.detail);
}

std::string IdPattern::id(std::uint32_t customer) const {
  if (!numbered_) return before_;
  const std::string digits = std::to_string(customer);
  const std::size_t padding = width_ > digits.size() ? width_ - digits.size() : 0;
  return before_ + std::string(padding, '0') + digits + after_;
}

}  // namespace generator
