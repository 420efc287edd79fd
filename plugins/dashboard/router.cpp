#include "router.hpp"

#include "assets.hpp"

namespace hb::dashboard {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";

// Every answer has these: nothing from elsewhere is loaded into the page, and the page is loaded nowhere else.
constexpr std::string_view kSecurity =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";

// Relative, so that it also holds below a proxy's path.
constexpr std::string_view kToPage = "Cache-Control: no-store\r\nLocation: ./\r\n";

constexpr std::string_view kLogIn =
    "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>hbagent: token needed</title></head>\n"
    "<body><main><h1>A token is needed</h1>\n"
    "<p>Open this page as <code>?token=TOKEN</code>, with the token of the sink's configuration; this browser then "
    "remembers it until it is closed. Programs send it as <code>Authorization: Bearer TOKEN</code>.</p></main></body>\n"
    "</html>\n";

std::string_view reason_of(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

Answer asset_answer(const Asset& asset, const Request& request) {
  const bool gzip = takes_gzip(request.accept_encoding) && asset.gzip.size() < asset.content.size();
  Answer answer;
  answer.content_type = asset.content_type;
  answer.headers.append("ETag: ").append(gzip ? asset.gzip_etag : asset.etag);
  answer.headers += "\r\nCache-Control: no-cache\r\nVary: Accept-Encoding\r\n";
  if (names_etag(request.if_none_match, asset.etag) || names_etag(request.if_none_match, asset.gzip_etag)) {
    answer.status = 304;
    return answer;
  }
  if (gzip) answer.headers += "Content-Encoding: gzip\r\n";
  answer.fixed = gzip ? asset.gzip : asset.content;
  return answer;
}

Answer json_answer(std::string text) {
  Answer answer;
  answer.headers = "Cache-Control: no-store\r\n";
  answer.text = std::move(text);
  return answer;
}

}  // namespace

Answer refusal(unsigned status, std::string_view text) {
  Answer answer;
  answer.status = status;
  answer.headers = "Cache-Control: no-store\r\n";
  append_error(answer.text, text);
  return answer;
}

std::string head_of(const Answer& answer, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  head += reason_of(answer.status);
  head += "\r\nServer: hbagent\r\n";
  if (answer.stream) {
    head += "Content-Type: text/event-stream\r\n";
  } else if (answer.status != 304) {
    head.append("Content-Type: ").append(answer.content_type);
    head += "\r\nContent-Length: " + std::to_string(answer.body().size()) + "\r\n";
  }
  head.append(answer.headers).append(kSecurity);
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

Answer Router::answer(const Request& request) {
  const auto target = Target::parse(request.target);
  if (!target) return refusal(400, "this is no path");
  if (!is_allowed_host(request.host, config_.hosts)) {
    return refusal(421, "the page is not served by this name; the option allowed_hosts may name it");
  }
  if (!config_.token.empty() && !has_token(request, config_.token)) return log_in(request, *target);
  return route(request, *target);
}

Answer Router::log_in(const Request& request, const Target& target) const {
  const bool page = target.path() == "/";
  if (page && is_same_secret(target.value("token").value_or(""), config_.token)) {
    Answer answer;
    answer.status = 303;
    answer.content_type = kHtml;
    // No Path: the cookie is for the path that the browser sees, which a proxy may have put in front. Lax: with Strict
    // it would not come with the request that follows a link from another site. Nothing here changes anything.
    answer.headers = kToPage;
    answer.headers.append("Set-Cookie: ").append(kCookie).append("=").append(config_.token);
    answer.headers += "; HttpOnly; SameSite=Lax\r\n";
    return answer;
  }
  Answer answer = refusal(401, "a token is needed: Authorization: Bearer TOKEN, or open /?token=TOKEN");
  answer.headers += "WWW-Authenticate: Bearer\r\n";
  if (page && request.authorization.empty()) {
    answer.content_type = kHtml;
    answer.text = kLogIn;
  }
  return answer;
}

Answer Router::route(const Request& request, const Target& target) {
  const std::string& path = target.path();
  try {
    // Logged in already: the token leaves the address bar all the same.
    if (path == "/" && !config_.token.empty() && target.value("token")) {
      Answer answer;
      answer.status = 303;
      answer.content_type = kHtml;
      answer.headers = kToPage;
      return answer;
    }
    if (const Asset* const asset = find_asset(path)) return asset_answer(*asset, request);
    if (path == "/api/v1/stream") {
      Answer answer;
      answer.stream = true;
      answer.headers = "Cache-Control: no-store\r\n";
      return answer;
    }
    if (path == "/api/v1/snapshot") {
      Answer answer = json_answer("");
      answer.shared = api_.frame();
      return answer;
    }
    if (path == "/api/v1/customers") return json_answer(api_.customers(target));
    if (path == "/api/v1/history") return json_answer(api_.history(target));
  } catch (const BadParameter& error) {
    return refusal(400, error.what());
  }
  return refusal(404, "there is nothing here");
}

}  // namespace hb::dashboard
