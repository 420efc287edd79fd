// Sink `file`: readings as JSON lines or CSV, appended to a rotated file or to standard output.
#pragma once

#include <hbagent/sdk.hpp>

#include <optional>
#include <string>

#include "append_file.hpp"
#include "append_stream.hpp"
#include "row_format.hpp"

namespace hb::file {

class FileSink {
 public:
  struct Config {
    std::string path;
    RowFormat format = RowFormat::jsonl;
    bool header = true;
    Bytes max_size;
    unsigned keep = 5;
    bool sync = false;
  };
  static constexpr auto options = hb::options(
      hb::option("path", &Config::path, "File to append to, a FIFO, or \"-\" for standard output.")
          .required()
          .example("\"/var/lib/hbagent/readings.jsonl\""),
      hb::option(
          "format", &Config::format,
          "jsonl: one JSON object a line, as on the wire. csv: customer_id, time, heart_rate, flags, received_at.")
          .choices("jsonl", "csv"),
      hb::option("header", &Config::header, "CSV: begin each file with the column names."),
      hb::option("max_size", &Config::max_size, "Rotate before the file grows beyond this; 0 never does.")
          .example("\"64MiB\""),
      hb::option("keep", &Config::keep, "Old files to keep, as path.1 (the newest), path.2 and so on.")
          .range(0, 10'000),
      hb::option("sync", &Config::sync,
                 "Put every batch on the disk (fdatasync) before it counts as delivered; else it is in the kernel."));
  static constexpr std::uint32_t batch_size = 4096;

  // Throws Failed where max_size cannot hold a few lines.
  FileSink(const Config& config, Host host);

  void open();
  void write(Batch batch);
  void close();

 private:
  std::size_t piece_limit() const;
  void put(std::string_view lines);
  bool put_or_retry(Batch batch, std::size_t first);

  Config config_;
  Host host_;
  std::optional<AppendFile> file_;
  std::optional<AppendStream> stream_;
  bool stream_needs_header_ = false;
  std::string piece_;
};

}  // namespace hb::file
