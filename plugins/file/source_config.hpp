// Options of the source `file`.
#pragma once

#include <hbagent/sdk.hpp>
#include <hbcommon/mapping.hpp>

#include <chrono>
#include <string>
#include <tuple>

namespace hb::file {

// How lines are written: as the name of the file says, or as one of codec::DecoderKind, in its order.
enum class LineFormat { automatic, json, csv, scalar, gatt_hrm, senml };

struct SourceConfig : codec::Mapping {
  std::string path;
  LineFormat decoder = LineFormat::automatic;
  bool header = true;
  std::string separator = ",";
  std::string speed = "max";
  bool follow = false;
  std::chrono::milliseconds poll_interval{250};
  std::chrono::milliseconds rotate_wait{5000};
  bool resume = true;
  Bytes max_line = 64_KiB;

  static constexpr auto own_options = hb::options(
      hb::option("path", &SourceConfig::path,
                 "File, FIFO, glob, or \"-\" for standard input. {customer_id} in it matches like * and names the "
                 "customer.")
          .required()
          .example("\"/data/{customer_id}.csv\""),
      hb::option("decoder", &SourceConfig::decoder,
                 "How lines are written; auto: csv where the name ends in .csv, else json.")
          .choices("auto", "json", "csv", "scalar", "gatt_hrm", "senml"),
      hb::option("header", &SourceConfig::header, "CSV: the first line of each file is a header."),
      hb::option("separator", &SourceConfig::separator, "CSV: the one character between fields."),
      hb::option("speed", &SourceConfig::speed,
                 "\"max\"; \"realtime\": each file's readings at their distance in time; \"60\": so many times faster.")
          .example("\"realtime\""),
      hb::option("follow", &SourceConfig::follow,
                 "Wait for more at the end, for new files, and follow files that are rotated."),
      hb::option("poll_interval", &SourceConfig::poll_interval, "How often a followed file is looked at.")
          .range(std::chrono::milliseconds(1), std::chrono::minutes(10)),
      hb::option("rotate_wait", &SourceConfig::rotate_wait,
                 "How long a followed file is still read after it was moved away or deleted.")
          .range(std::chrono::milliseconds(0), std::chrono::hours(24)),
      hb::option("resume", &SourceConfig::resume,
                 "Go on after a restart where everything before was safe; false: always from the beginning."),
      hb::option("max_line", &SourceConfig::max_line,
                 "Longer lines are skipped and go to the dead letters, cut to this.")
          .range(Bytes{64}, 16_MiB));

  static constexpr auto options = std::tuple_cat(own_options, codec::mapping_options_without_decoder<SourceConfig>());
};

}  // namespace hb::file
