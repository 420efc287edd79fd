// What of a request decides: its path and parameters, the name it was sent to, and whether it may see anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hb::dashboard {

inline constexpr std::string_view kCookie = "hbagent_dashboard";

struct Request {
  bool head = false;        // HEAD, else GET
  std::string_view target;  // as sent; begins with '/'
  std::string_view host;
  std::string_view authorization;
  std::string_view cookie;
  std::string_view accept_encoding;
  std::string_view if_none_match;
};

// A target's path and parameters with their percent-encoding undone.
class Target {
 public:
  // None: not well-formed.
  static std::optional<Target> parse(std::string_view target);

  const std::string& path() const { return path_; }
  // The first value of that name; none where it is not there.
  std::optional<std::string_view> value(std::string_view name) const;
  std::vector<std::string> values(std::string_view name) const;

 private:
  std::string path_;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

// Which names a browser may have reached the page by: else another site's page could, by a name that it points here
// (DNS rebinding). `allowed`: without a port; 0.0.0.0 or [::] stands for every address, which is no name. Case does not
// matter, and no port does.
bool is_allowed_host(std::string_view host, const std::vector<std::string>& allowed);

// Takes as long for any text of the same size as `secret`.
bool is_same_secret(std::string_view text, std::string_view secret);
// By "Authorization: Bearer TOKEN", or the cookie.
bool has_token(const Request& request, std::string_view token);

// Whether an Accept-Encoding header takes gzip.
bool takes_gzip(std::string_view accept_encoding);
// Whether an If-None-Match header names this ETag (RFC 9110, section 13.1.2: weak comparison).
bool names_etag(std::string_view if_none_match, std::string_view etag);

}  // namespace hb::dashboard
