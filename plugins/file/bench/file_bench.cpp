// How fast the source reads and the sink writes, without an agent: file_bench [LINES] [FOLDER]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <hbagent/testing.hpp>
#include <string>

#include "file_sink.hpp"
#include "file_source.hpp"

namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void show(const char* what, std::size_t lines, const std::string& path, double cpu) {
  const auto bytes = static_cast<double>(std::filesystem::file_size(path));
  std::printf("%-28s %6.2f M lines/s a core  %7.1f MB/s\n", what, static_cast<double>(lines) / cpu / 1e6,
              bytes / cpu / 1e6);
}

std::vector<hb::Reading> make_readings(std::size_t count) {
  std::vector<hb::Reading> readings;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::string id = "cust_" + std::to_string(10'000 + i % 1000);
    readings.push_back(hb::testing::make_reading(id, 1'763'805'600'000'000 + at * 1'234'567,
                                                 60 + static_cast<int>(i % 100), i % 50 == 0 ? HB_FLAG_HIGH : 0));
  }
  return readings;
}

void write(hb::file::RowFormat format, const std::string& path, std::size_t lines) {
  hb::testing::TestHost host;
  hb::file::FileSink::Config config;
  config.path = path;
  config.format = format;
  hb::file::FileSink sink(config, host.host());
  sink.open();
  hb::testing::TestBatch batch(make_readings(4096));
  const double start = cpu_seconds();
  for (std::size_t written = 0; written < lines; written += 4096) sink.write(batch.sink_batch());
  show(format == hb::file::RowFormat::csv ? "sink csv" : "sink jsonl", (lines + 4095) / 4096 * 4096, path,
       cpu_seconds() - start);
}

void read(const char* what, hb::file::FileSource::Config config) {
  hb::testing::TestHost host;
  host.keep_readings = false;
  host.ack_at_once(true);
  hb::file::FileSource source(config, host.host());
  const double start = cpu_seconds();
  source.open();
  source.run();
  show(what, host.emitted(), config.path, cpu_seconds() - start);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t lines = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4'000'000;
  const std::string folder = argc > 2 ? argv[2] : "/dev/shm";
  for (const bool csv : {true, false}) {
    const std::string path = folder + (csv ? "/hbagent_bench.csv" : "/hbagent_bench.jsonl");
    std::filesystem::remove(path);
    write(csv ? hb::file::RowFormat::csv : hb::file::RowFormat::jsonl, path, lines);
    hb::file::FileSource::Config config;
    config.path = path;
    read(csv ? "source csv" : "source jsonl", config);
    if (csv) {
      config.time.header = "time";
    } else {
      config.time.pointer = "/time";
    }
    read(csv ? "source csv, mapped" : "source jsonl, mapped", config);
    std::filesystem::remove(path);
  }
}
