// A source whose readings are accepted one by one: it keeps a list of what emit has returned for, and never gives that
// a second time. What the agent loses after it has accepted it is lost, so a test finds out.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <hbagent/sdk.hpp>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kStartUs = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
constexpr std::int64_t kCustomers = 20;

class NumberedSource {
 public:
  struct Config {
    std::string series = "n";
    std::int64_t count = 0;
    std::int64_t batch_size = 1000;
    std::chrono::milliseconds pause{0};
  };
  static constexpr auto options =
      hb::options(hb::option("series", &Config::series, "First part of the customers' ids."),
                  hb::option("count", &Config::count, "Ends when so many were accepted, all runs together; 0: never."),
                  hb::option("batch_size", &Config::batch_size, "Most readings in one emit.").min(1),
                  hb::option("pause", &Config::pause, "Time between two emits."));

  NumberedSource(const Config& config, hb::Host host)
      : config_(config), host_(host), path_(std::string(host.state_dir()) + "/accepted") {}
  ~NumberedSource() {
    if (fd_ >= 0) ::close(fd_);
  }

  void open() {
    if (fd_ >= 0) return;
    std::ifstream(path_) >> accepted_;
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd_ < 0) throw hb::Failed("cannot open " + path_);
  }

  void run() {
    std::vector<hb::Reading> readings;
    while (!host_.stopping() && (config_.count == 0 || accepted_ < config_.count)) {
      readings.clear();
      const std::int64_t size = 1 + accepted_ * 7919 % config_.batch_size;  // many sizes, always the same
      for (std::int64_t number = accepted_; number < accepted_ + size; ++number) {
        if (config_.count == 0 || number < config_.count) readings.push_back(make(number));
      }
      const auto end = accepted_ + static_cast<std::int64_t>(readings.size());
      if (!host_.emit(readings, static_cast<std::uint64_t>(end))) return;
      accepted_ = end;
      note();
      if (config_.pause.count() > 0) host_.wait(config_.pause);
    }
  }

 private:
  hb::Reading make(std::int64_t number) const {
    std::array<char, HB_CUSTOMER_ID_CAPACITY> id{};
    std::snprintf(id.data(), id.size(), "%s-%02d", config_.series.c_str(), static_cast<int>(number % kCustomers));
    hb::Reading reading{};
    hb::set_customer_id(reading, id.data());
    reading.time_us = kStartUs + number * 1000;
    reading.received_us = host_.now_us();
    reading.heart_rate = static_cast<std::int32_t>(40 + number % 151);
    return reading;
  }

  // In the kernel's hands, as the readings are. One number that only grows: a shorter one never overwrites a longer.
  void note() const {
    const std::string text = std::to_string(accepted_) + '\n';
    if (::pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      throw hb::Failed("cannot write " + path_);
    }
  }

  const Config config_;
  const hb::Host host_;
  const std::string path_;
  int fd_ = -1;
  std::int64_t accepted_ = 0;
};

}  // namespace

HB_SOURCE_PLUGIN(NumberedSource, "numbered", "Numbered readings, each accepted once.")
