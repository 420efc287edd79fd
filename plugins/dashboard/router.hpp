// From a request to its answer: who may see anything at all, and what there is to see. No network.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api.hpp"
#include "request.hpp"

namespace hb::dashboard {

struct Answer {
  unsigned status = 200;
  std::string_view content_type = "application/json";
  std::string headers;  // more of them, each with its CR LF
  std::string text;     // the body, unless `shared` or `fixed` is
  std::shared_ptr<const Frame> shared;
  std::string_view fixed;
  bool stream = false;  // no body: snapshots follow until the connection ends

  std::string_view body() const { return shared != nullptr ? shared->json() : !fixed.empty() ? fixed : text; }
};

// {"error": text}, with the status.
Answer refusal(unsigned status, std::string_view text);
// The head of an HTTP/1.1 answer, with the empty line.
std::string head_of(const Answer& answer, bool keep_alive);

class Router {
 public:
  struct Config {
    std::string token;               // empty: none is asked for
    std::vector<std::string> hosts;  // names that the page may be reached by, without a port
  };

  // `api` outlives this.
  Router(Config config, Api& api) : config_(std::move(config)), api_(api) {}

  Answer answer(const Request& request);

 private:
  Answer log_in(const Request& request, const Target& target) const;
  Answer route(const Request& request, const Target& target);

  const Config config_;
  Api& api_;
};

}  // namespace hb::dashboard
