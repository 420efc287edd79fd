#include "request.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstdint>

namespace hb::dashboard {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_address(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  boost::system::error_code failure;
  boost::asio::ip::make_address(std::string(host), failure);
  return !failure;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes what stands before `separator` off `text`.
std::string_view next_part(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

int hexadecimal(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hexadecimal(text[i + 1]);
    const int low = hexadecimal(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

std::optional<Target> Target::parse(std::string_view target) {
  if (target.empty() || target.front() != '/') return std::nullopt;
  const std::size_t mark = std::min(target.find('?'), target.size());
  auto path = decoded(target.substr(0, mark), false);
  if (!path) return std::nullopt;
  Target out;
  out.path_ = *std::move(path);
  for (std::string_view rest = target.substr(std::min(mark + 1, target.size())); !rest.empty();) {
    std::string_view value = next_part(rest, '&');
    const std::string_view name = next_part(value, '=');
    auto name_text = decoded(name, true);
    auto value_text = decoded(value, true);
    if (!name_text || !value_text) return std::nullopt;
    out.parameters_.emplace_back(*std::move(name_text), *std::move(value_text));
  }
  return out;
}

std::optional<std::string_view> Target::value(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Target::values(std::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [key, value] : parameters_) {
    if (key == name) found.push_back(value);
  }
  return found;
}

bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed) {
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const std::string_view port = host.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
    host = host.substr(0, colon);
  }
  const bool is_any_address = is_address(host);
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& name) {
    return is_same_name(host, name) || (is_any_address && (name == "0.0.0.0" || name == "[::]"));
  });
}

bool is_same_secret(std::string_view text, std::string_view secret) {
  if (text.size() != secret.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < text.size(); ++i) difference |= static_cast<unsigned char>(text[i] ^ secret[i]);
  return difference == 0;
}

bool has_token(const Request& request, std::string_view token) {
  constexpr std::string_view scheme = "Bearer ";
  if (request.authorization.size() > scheme.size() &&
      is_same_name(request.authorization.substr(0, scheme.size()), scheme) &&
      is_same_secret(trimmed(request.authorization.substr(scheme.size())), token)) {
    return true;
  }
  for (std::string_view rest = request.cookie; !rest.empty();) {
    std::string_view value = trimmed(next_part(rest, ';'));
    if (next_part(value, '=') == kCookie && is_same_secret(value, token)) return true;
  }
  return false;
}

bool takes_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::string_view weight = next_part(accept_encoding, ',');
    const std::string_view coding = trimmed(next_part(weight, ';'));
    if (!is_same_name(coding, "gzip")) continue;
    weight = trimmed(weight);
    // "q=0", "q=0.0", "q=0.000": not acceptable (RFC 9110, section 12.4.2)
    return weight.substr(0, 3) != "q=0" || weight.find_first_not_of("0.", 2) != std::string_view::npos;
  }
  return false;
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    std::string_view one = trimmed(next_part(if_none_match, ','));
    if (one == "*") return true;
    if (one.substr(0, 2) == "W/") one.remove_prefix(2);
    if (one == etag) return true;
  }
  return false;
}

}  // namespace hb::dashboard
