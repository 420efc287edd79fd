#include <hbagent/catch.hpp>
#include <hbagent/testing.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "csv_sink.hpp"

using hb::testing::make_reading;

namespace {

// A file that is there for one test.
struct TemporaryFile {
  std::string path = (std::filesystem::temp_directory_path() / ("test_csv." + std::to_string(getpid()))).string();
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string content() const {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace

TEST_CASE("a reading is a line of customer, time and heart rate") {
  const TemporaryFile file;
  hb::testing::TestHost host;
  CsvSink sink({file.path}, host.host());
  hb::testing::TestBatch batch({make_reading("anna", 1'000'000, 61), make_reading("ben", 1'500'000, 142)});

  sink.open();
  sink.write(batch.sink_batch());
  CHECK(file.content() == "anna,1000000,61\nben,1500000,142\n");
  CHECK(batch.verdict(0).verdict == 0);  // no verdict: delivered
  sink.close();
}

TEST_CASE("opening again appends") {
  const TemporaryFile file;
  hb::testing::TestHost host;
  CsvSink sink({file.path}, host.host());
  hb::testing::TestBatch batch({make_reading("anna", 1'000'000, 61)});

  for (int i = 0; i < 2; ++i) {
    sink.open();
    sink.write(batch.sink_batch());
    sink.close();
  }
  CHECK(file.content() == "anna,1000000,61\nanna,1000000,61\n");
}

TEST_CASE("a file that cannot be opened is tried again later") {
  hb::testing::TestHost host;
  CsvSink sink({"/no/such/folder/readings.csv"}, host.host());
  CHECK_THROWS_AS(sink.open(), hb::Retry);
}

TEST_CASE("a full disk is told to the agent, which opens the file anew") {
  hb::testing::TestHost host;
  CsvSink sink({"/dev/full"}, host.host());
  hb::testing::TestBatch batch({make_reading("anna", 1'000'000, 61)});
  for (int i = 0; i < 2; ++i) {
    CHECK_NOTHROW(sink.open());
    CHECK_THROWS_AS(sink.write(batch.sink_batch()), hb::Reopen);
    sink.close();
  }
}
