// Runs of the source `file` to the end, for its tests.
#pragma once

#include <hbagent/testing.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "file_source.hpp"

namespace hb::file::test {

struct Run {
  std::vector<Reading> readings;
  std::vector<testing::RecordedLetter> letters;
  std::map<std::string, std::uint64_t> discarded;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> emits;
};

inline Run run_to_end(const FileSource::Config& config, const std::string& state_dir = "") {
  testing::TestHost host("test", state_dir);
  host.ack_at_once(true);
  FileSource source(config, host.host());
  source.open();
  source.run();
  source.close();
  return {host.readings(), host.letters(), host.discarded(), host.emits()};
}

inline FileSource::Config config_for(const std::string& path) {
  FileSource::Config config;
  config.path = path;
  return config;
}

}  // namespace hb::file::test
