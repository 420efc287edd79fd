// How many readings a second of CPU the generator makes, without a pipeline behind it: what `emit` costs is not here.
// bench_generator [READINGS]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <hbagent/testing.hpp>

#include "generator_source.hpp"

namespace {

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void measure(std::uint32_t customers, std::uint64_t count, std::uint32_t batch_size) {
  GeneratorSource::Config config;
  config.customers = customers;
  config.count = count;
  config.start = "2026-01-01T00:00:00Z";
  config.speed = "max";
  config.batch_size = batch_size;
  config.id_pattern = "cust_{:05}";
  hb::testing::TestHost host;
  host.keep_readings = false;
  GeneratorSource source(config, host.host());
  const double start = cpu_seconds();
  source.open();
  double first = 0;
  host.after_emit = [&](hb::testing::TestHost&) {
    if (first == 0) first = cpu_seconds();
  };
  source.run();
  source.close();
  const double end = cpu_seconds();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%9u %6u %9.1f %11.2f %9.2f %9ld\n", customers, batch_size,
              static_cast<double>(host.emitted()) * 1e-6 / (end - first),
              (end - first) * 1e9 / static_cast<double>(host.emitted()), (first - start) * 1e3, usage.ru_maxrss / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000'000;
  std::printf("%9s %6s %9s %11s %9s %9s\n", "customers", "batch", "M/s core", "ns/reading", "first ms", "RSS MiB");
  for (const std::uint32_t customers : {1u, 10u, 200u, 1'000u, 10'000u, 100'000u, 1'000'000u})
    measure(customers, count, 2048);
  for (const std::uint32_t batch_size : {64u, 512u, 4096u, 16'384u}) measure(1'000, count, batch_size);
}
