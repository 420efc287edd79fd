// Sink `dashboard`: a live page in the browser, served by the agent itself.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api.hpp"
#include "server.hpp"

namespace hb::dashboard {

class DashboardSink {
 public:
  struct Config {
    std::string listen = "127.0.0.1:3030";
    std::string title;
    std::optional<std::string> token;
    std::vector<std::string> allowed_hosts;
    std::chrono::seconds window{900};
    std::chrono::milliseconds refresh{500};
    std::chrono::milliseconds stale_after{10'000};
    std::int32_t low = 50;
    std::int32_t high = 120;
    std::uint32_t max_customers = 10'000;
    std::uint32_t max_viewers = 500;
  };
  static constexpr auto options = hb::options(
      hb::option("listen", &Config::listen,
                 "Address and port of the page. One that other machines can reach needs a token."),
      hb::option("title", &Config::title, "What is watched here, in the page's head; none: this sink's name.")
          .example("\"Ward 3\""),
      hb::option(
          "token", &Config::token,
          "Whoever knows it may look: 16 or more letters, digits and signs but \" , ; \\ + & # %. The page is opened "
          "as /?token=TOKEN, once each time the browser is started; programs send Authorization: Bearer TOKEN.")
          .secret(),
      hb::option("allowed_hosts", &Config::allowed_hosts,
                 "More names that browsers may reach the page by, such as that of a reverse proxy, without a port.")
          .example("[\"hearts.example.org\"]"),
      hb::option("window", &Config::window,
                 "How far back the page shows; what 4 bytes a second and customer are kept of.")
          .range(std::chrono::minutes(1), std::chrono::hours(1)),
      hb::option("refresh", &Config::refresh, "How often every viewer gets a new snapshot.")
          .range(std::chrono::milliseconds(100), std::chrono::seconds(5)),
      hb::option("stale_after", &Config::stale_after, "A customer without a reading for longer is shown as stale.")
          .range(std::chrono::seconds(1), std::chrono::hours(1)),
      hb::option("low", &Config::low,
                 "Beats per minute below which the charts show a band; the alerts are the flags of "
                 "the processors.")
          .range(0, 65535),
      hb::option("high", &Config::high, "Beats per minute above which the charts show a band.").range(0, 65535),
      hb::option("max_customers", &Config::max_customers,
                 "Customers that are kept; of more, the one that has been silent longest makes room.")
          .range(1, 100'000),
      hb::option("max_viewers", &Config::max_viewers, "Viewers at once; one more is asked to try again later.")
          .range(1, 10'000));
  static constexpr std::uint32_t batch_size = 4096;

  // Throws hb::Failed: `listen` is no address, or a public one without a token, or other options that cannot be.
  DashboardSink(const Config& config, Host host);

  void open();   // hb::Retry: the address cannot be had
  void close();  // the readings stay for the next open
  void write(Batch batch);

  // Where the page is, while open: "127.0.0.1:3030".
  std::string address() const;

 private:
  const Config config_;
  const Host host_;
  const std::int64_t started_ms_;
  SharedBoard board_;
  std::vector<std::uint32_t> duplicates_;
  std::uint64_t evicted_told_ = 0;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Server> server_;
};

}  // namespace hb::dashboard
