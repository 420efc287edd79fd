#include "dashboard_sink.hpp"

#include <algorithm>
#include <string_view>

#include "listen.hpp"

namespace hb::dashboard {
namespace {

constexpr std::size_t kLeastToken = 16;             // characters
constexpr std::uint64_t kMostSlots = 128ULL << 20;  // of 4 bytes each: 512 MiB

// What a cookie (RFC 6265, cookie-octet) and the value in ?token=TOKEN both hold as it is: in an address '+' is a
// blank, '&' and '#' end the value, and '%' begins a code.
bool is_token_character(char c) {
  return c > ' ' && c < 0x7F && std::string_view("\",;\\+&#%").find(c) == std::string_view::npos;
}

void check_token(const std::string& token) {
  if (token.size() < kLeastToken || !std::all_of(token.begin(), token.end(), is_token_character)) {
    throw Failed(
        "token: must have " + std::to_string(kLeastToken) +
        " or more characters, of printable ASCII without blanks and without any of \" , ; \\ + & # %, which an "
        "address or a cookie would change; `openssl rand -hex 16` makes one");
  }
}

const DashboardSink::Config& checked(const DashboardSink::Config& config) {
  const auto endpoint = parse_listen(config.listen);
  if (config.token) check_token(*config.token);
  if (!endpoint.address().is_loopback() && !config.token) {
    throw Failed("listen = \"" + config.listen +
                 "\" can be reached from other machines: set a token (`openssl rand -hex 16` makes one), or listen on "
                 "127.0.0.1");
  }
  for (const std::string& name : config.allowed_hosts) {
    const bool has_port = name.find(':') != std::string::npos && (name.front() != '[' || name.back() != ']');
    if (name.empty() || has_port || name.find_first_of("/ *") != std::string::npos) {
      throw Failed("allowed_hosts: \"" + name + "\" is no host name without a port, such as \"hearts.example.org\"");
    }
  }
  if (config.low >= config.high) throw Failed("low: must be below high");
  if (static_cast<std::uint64_t>(config.window.count()) * config.max_customers > kMostSlots) {
    throw Failed("max_customers: with this window they would need more than 512 MiB; make one of them smaller");
  }
  return config;
}

std::vector<std::string> names_of(const DashboardSink::Config& config) {
  std::vector<std::string> names{"localhost", "127.0.0.1", "[::1]"};
  const std::string listen = text_of(parse_listen(config.listen));
  names.push_back(listen.substr(0, listen.rfind(':')));
  names.insert(names.end(), config.allowed_hosts.begin(), config.allowed_hosts.end());
  return names;
}

}  // namespace

DashboardSink::DashboardSink(const Config& config, Host host)
    : config_(checked(config)),
      host_(host),
      started_ms_(host.now_us() / 1000),
      board_(Board::Config{config.window, config.stale_after, config.max_customers}) {}

void DashboardSink::open() {
  About about;
  about.agent = config_.title.empty() ? std::string(host_.instance()) : config_.title;
  about.started_ms = started_ms_;
  about.window_s = config_.window.count();
  about.refresh_ms = config_.refresh.count();
  about.stale_after_s = std::chrono::duration<double>(config_.stale_after).count();
  about.low = config_.low;
  about.high = config_.high;
  api_ = std::make_unique<Api>(board_, about, [host = host_] { return host.now_us(); });

  Server::Config server;
  server.listen = parse_listen(config_.listen);
  server.router = {config_.token.value_or(""), names_of(config_)};
  server.refresh = config_.refresh;
  server.max_viewers = config_.max_viewers;
  server.on_viewers = [host = host_](std::size_t count) { host.gauge("viewers", static_cast<double>(count)); };
  server.on_error = [host = host_](const std::string& text) { host.error(text); };
  server_ = std::make_unique<Server>(std::move(server), *api_);
  host_.info("the page is at http://" + address() + "/" + (config_.token ? "?token=..." : ""));
}

void DashboardSink::close() {
  server_.reset();
  api_.reset();
}

std::string DashboardSink::address() const {
  return text_of(server_->endpoint());
}

void DashboardSink::write(Batch batch) {
  duplicates_.clear();
  const std::int64_t now_us = host_.now_us();
  std::uint64_t evicted = 0;
  {
    const std::lock_guard lock(board_.mutex);
    board_.board.add(batch.readings(), now_us, duplicates_);
    evicted = board_.board.evicted();
  }
  for (const std::uint32_t index : duplicates_) batch.duplicate(index);
  if (evicted != evicted_told_) {
    host_.gauge("evicted_customers", static_cast<double>(evicted));
    if (evicted_told_ == 0) {
      host_.warn("there are more than max_customers = " + std::to_string(config_.max_customers) +
                 " customers: those that have been silent longest are not shown any more");
    }
    evicted_told_ = evicted;
  }
}

}  // namespace hb::dashboard
