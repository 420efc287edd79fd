// Appends readings to a CSV file.
#pragma once

#include <hbagent/sdk.hpp>

#include <fstream>
#include <string>

class CsvSink {
 public:
  struct Config {
    std::string path;
  };
  static constexpr auto options =
      hb::options(hb::option("path", &Config::path, "File to append to.").required().example("\"readings.csv\""));

  CsvSink(const Config& config, hb::Host) : config_(config) {}

  void open() {
    out_.open(config_.path, std::ios::app);
    if (!out_) throw hb::Retry("cannot open " + config_.path);
  }
  void close() { out_.close(); }

  void write(hb::Batch batch) {  // returning means that every reading is delivered
    for (const auto& r : batch) out_ << r.customer_id << ',' << r.time_us << ',' << r.heart_rate << '\n';
    if (!out_.flush()) throw hb::Reopen("cannot write " + config_.path);
  }

 private:
  Config config_;
  std::ofstream out_;
};
