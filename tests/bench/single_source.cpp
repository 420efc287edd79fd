// A source that emits one reading at a time and says what its thread has spent on that: CPU time, of the user and of
// the system, from the plugin's call of emit to its return, with making the reading. Writes one line of JSON to the
// file.
#include <time.h>

#include <fstream>
#include <hbagent/sdk.hpp>
#include <string>

namespace {

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class SingleSource {
 public:
  struct Config {
    std::int64_t count = 1;
    std::string result;
  };
  static constexpr auto options =
      hb::options(hb::option("count", &Config::count, "How many readings are measured.").min(1),
                  hb::option("result", &Config::result, "File for what was measured.").required());

  SingleSource(const Config& config, hb::Host host) : config_(config), host_(host) {}

  void run() {
    hb::Reading reading{};
    hb::set_customer_id(reading, "C00001");
    reading.heart_rate = 72;
    const std::int64_t warm_up = config_.count / 10;
    std::uint64_t token = 0;
    double begin = 0;
    for (std::int64_t number = 0; number < warm_up + config_.count; ++number) {
      if (number == warm_up) begin = thread_cpu_seconds();
      reading.time_us = reading.received_us = 1'767'225'600'000'000 + number * 1000;
      if (!host_.emit({&reading, 1}, ++token)) return;
    }
    const double cpu = thread_cpu_seconds() - begin;
    std::ofstream file(config_.result);
    file << "{\"readings\": " << config_.count << ", \"cpu_seconds\": " << cpu << "}\n";
    if (!file.flush()) throw hb::Failed("cannot write " + config_.result);
  }

 private:
  const Config config_;
  const hb::Host host_;
};

}  // namespace

HB_SOURCE_PLUGIN(SingleSource, "single", "Readings one at a time, and what they cost.")
