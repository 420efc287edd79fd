// The sink `file`: formats, repair, rotation, full disks, moved files, pipes.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <hbcommon/wire.hpp>

#include "file_sink.hpp"
#include "file_source.hpp"
#include "support/catch.hpp"
#include "test_support.hpp"

using namespace hb::file;
using namespace hb::file::test;
using hb::testing::make_reading;
using hb::testing::TestBatch;
using hb::testing::TestHost;

namespace {

std::vector<hb::Reading> rows(int first, int last) {
  std::vector<hb::Reading> readings;
  for (int i = first; i < last; ++i) readings.push_back(make_reading("cust", row_time(i), row_rate(i)));
  return readings;
}

FileSink::Config config_for(const std::string& path, RowFormat format = RowFormat::jsonl) {
  FileSink::Config config;
  config.path = path;
  config.format = format;
  return config;
}

void write_rows(FileSink& sink, int first, int last) {
  TestBatch batch(rows(first, last));
  sink.write(batch.sink_batch());
  for (std::size_t i = 0; i < batch.sink_batch().size(); ++i) REQUIRE(batch.verdict(i).verdict == 0);
}

// What the source of the same library makes of the file.
std::vector<hb::Reading> read_back(const std::string& path) {
  TestHost host;
  FileSource::Config config;
  config.path = path;
  FileSource source(config, host.host());
  source.open();
  source.run();
  REQUIRE(host.letters().empty());
  return host.readings();
}

// Keeps files from growing beyond a size, as a full disk does (EFBIG instead of ENOSPC).
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t size) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{size, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("JSON lines are the wire format, and come back as the same readings") {
  const Folder folder;
  const std::string path = folder / "out.jsonl";
  TestHost host;
  FileSink sink(config_for(path), host.host());
  sink.open();
  TestBatch batch({make_reading("cust_00042", 1'763'805'600'123'456, 72),
                   make_reading("\"q\\\xC3\xA4", 0, 190, HB_FLAG_HIGH | HB_FLAG_JUMP)});
  sink.write(batch.sink_batch());
  CHECK(read_file(path) ==
        "{\"customer_id\":\"cust_00042\",\"time\":\"2025-11-22T10:00:00.123456Z\",\"heart_rate\":72}\n"
        "{\"customer_id\":\"\\\"q\\\\\xC3\xA4\",\"time\":\"1970-01-01T00:00:00.000000Z\",\"heart_rate\":190,"
        "\"flags\":[\"high\",\"jump\"]}\n");
  const auto readings = read_back(path);
  REQUIRE(readings.size() == 2);
  CHECK(hb::customer_id(readings[1]) == "\"q\\\xC3\xA4");
  CHECK(readings[1].flags == (HB_FLAG_HIGH | HB_FLAG_JUMP));
}

TEST_CASE("CSV has a header, quotes what needs it, and comes back as the same readings") {
  const Folder folder;
  const std::string path = folder / "out.csv";
  TestHost host;
  FileSink sink(config_for(path, RowFormat::csv), host.host());
  sink.open();
  TestBatch batch(
      {make_reading("a,\"b\"", 1'763'805'600'123'456, 72, HB_FLAG_LOW | HB_FLAG_CLOCK, 1'763'805'601'000'000),
       make_reading("c", 0, 40)});
  sink.write(batch.sink_batch());
  CHECK(read_file(path) ==
        "customer_id,time,heart_rate,flags,received_at\n"
        "\"a,\"\"b\"\"\",2025-11-22T10:00:00.123456Z,72,low|clock,2025-11-22T10:00:01.000000Z\n"
        "c,1970-01-01T00:00:00.000000Z,40,,1970-01-01T00:00:00.000000Z\n");
  const auto readings = read_back(path);
  REQUIRE(readings.size() == 2);
  CHECK(hb::customer_id(readings[0]) == "a,\"b\"");
  CHECK(readings[0].flags == (HB_FLAG_LOW | HB_FLAG_CLOCK));
  CHECK(readings[0].time_us == 1'763'805'600'123'456);
}

TEST_CASE("a reading that no line can hold is rejected with a reason, its neighbours are written") {
  const Folder folder;
  TestHost host;
  FileSink sink(config_for(folder / "out.jsonl"), host.host());
  sink.open();
  TestBatch batch({make_reading("a", 0, 60), make_reading("b", INT64_MAX, 60), make_reading("c\n", 0, 60),
                   make_reading("d", 0, 60)});
  sink.write(batch.sink_batch());
  CHECK(batch.verdict(0).verdict == 0);
  CHECK(batch.verdict(1).verdict == HB_VERDICT_REJECT);
  CHECK(batch.verdict(1).reason == "time_implausible");
  CHECK(batch.verdict(2).reason == "bad_customer_id");
  CHECK(read_back(folder / "out.jsonl").size() == 2);
}

TEST_CASE("a torn last line is cut off, a whole one without end is ended") {
  const Folder folder;
  TestHost host;
  const bool csv = GENERATE(false, true);
  const std::string path = folder / (csv ? "out.csv" : "out.jsonl");
  const auto config = config_for(path, csv ? RowFormat::csv : RowFormat::jsonl);
  {
    FileSink sink(config, host.host());
    sink.open();
    write_rows(sink, 0, 2000);
    sink.close();
  }
  const std::string whole = read_file(path);
  const std::size_t cut = GENERATE(1U, 2U, 30U);
  write_file(path, whole.substr(0, whole.size() - cut));
  FileSink sink(config, host.host());
  sink.open();
  const int kept = cut == 1 ? 2000 : 1999;
  CHECK(are_rows(read_back(path), 0, kept));
  write_rows(sink, kept, 2010);
  CHECK(are_rows(read_back(path), 0, 2010));
  REQUIRE(host.logs().size() == 1);
}

TEST_CASE("a last line without end is whole with a heart rate of 0, too") {
  const Folder folder;
  const std::string path = folder / "out.jsonl";
  TestHost host;
  std::string whole;
  {
    FileSink sink(config_for(path), host.host());
    sink.open();
    TestBatch batch({make_reading("cust", row_time(0), 0)});
    sink.write(batch.sink_batch());
    sink.close();
    whole = read_file(path);
  }
  write_file(path, whole.substr(0, whole.size() - 1));
  FileSink sink(config_for(path), host.host());
  sink.open();
  CHECK(read_file(path) == whole);
}

TEST_CASE("zeros behind the last line, as a power loss leaves them, are cut off") {
  const Folder folder;
  TestHost host;
  write_file(folder / "out.jsonl", json_rows(0, 5) + std::string(100'000, '\0'));
  FileSink sink(config_for(folder / "out.jsonl"), host.host());
  sink.open();
  write_rows(sink, 5, 8);
  CHECK(read_file(folder / "out.jsonl").find('\0') == std::string::npos);
  CHECK(are_rows(read_back(folder / "out.jsonl"), 0, 8));
}

TEST_CASE("a write that fails half-way leaves nothing half-written, and works again with room") {
  const Folder folder;
  const std::string path = folder / "out.jsonl";
  TestHost host;
  FileSink sink(config_for(path), host.host());
  sink.open();
  write_rows(sink, 0, 10);
  const std::string before = read_file(path);
  {
    const SizeLimit limit(before.size() + 1000);
    TestBatch batch(rows(10, 100));
    CHECK_THROWS_AS(sink.write(batch.sink_batch()), hb::Retry);
    CHECK(read_file(path) == before);
  }
  write_rows(sink, 10, 100);
  CHECK(are_rows(read_back(path), 0, 100));
}

TEST_CASE("when a later piece of a batch fails only its readings are asked for again") {
  const Folder folder;
  const std::string path = folder / "out.jsonl";
  TestHost host;
  FileSink sink(config_for(path), host.host());
  sink.open();
  const auto all = rows(0, 4000);
  std::vector<hb::Reading> again;
  {
    const SizeLimit limit(200'000);
    TestBatch batch(all);
    sink.write(batch.sink_batch());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (batch.verdict(i).verdict == HB_VERDICT_RETRY) again.push_back(all[i]);
    }
  }
  CHECK_FALSE(again.empty());
  CHECK(again.size() < 4000);
  TestBatch batch(again);
  sink.write(batch.sink_batch());
  CHECK(are_rows(read_back(path), 0, 4000));
}

TEST_CASE("files rotate before they outgrow max_size, and only `keep` old ones stay") {
  const Folder folder;
  const std::string path = folder / "out.csv";
  TestHost host;
  auto config = config_for(path, RowFormat::csv);
  config.max_size = hb::Bytes{8192};
  config.keep = 3;
  FileSink sink(config, host.host());
  sink.open();
  int written = 0;
  for (const int size : {50, 1, 500, 90, 7, 120}) {
    write_rows(sink, written, written + size);
    written += size;
  }
  CHECK_FALSE(std::filesystem::exists(path + ".4"));
  std::vector<hb::Reading> readings;
  for (const std::string& name : {path + ".3", path + ".2", path + ".1", path}) {
    CHECK(std::filesystem::file_size(name) <= 8192);
    CHECK(read_file(name).starts_with("customer_id,time"));
    std::filesystem::rename(name, folder / "one.csv");
    for (const auto& reading : read_back(folder / "one.csv")) readings.push_back(reading);
  }
  // The newest rows, without a gap.
  CHECK(are_rows(readings, written - static_cast<int>(readings.size()), written));
  CHECK(readings.size() > 300);
}

TEST_CASE("a file that is moved away, deleted or emptied by log rotation is begun anew") {
  const Folder folder;
  const std::string path = folder / "out.csv";
  TestHost host;
  FileSink sink(config_for(path, RowFormat::csv), host.host());
  sink.open();
  write_rows(sink, 0, 10);
  std::filesystem::rename(path, folder / "old.csv");
  write_rows(sink, 10, 20);
  CHECK(are_rows(read_back(folder / "old.csv"), 0, 10));
  CHECK(are_rows(read_back(path), 10, 20));
  std::filesystem::remove(path);
  write_rows(sink, 20, 25);
  CHECK(are_rows(read_back(path), 20, 25));
  std::filesystem::resize_file(path, 0);
  write_rows(sink, 25, 30);
  CHECK(are_rows(read_back(path), 25, 30));
}

TEST_CASE("two sinks on one file would cut each other's lines: the second is refused") {
  const Folder folder;
  TestHost host;
  FileSink first(config_for(folder / "out.jsonl"), host.host());
  FileSink second(config_for(folder / "out.jsonl"), host.host());
  first.open();
  CHECK_THROWS_AS(second.open(), hb::Retry);
  first.close();
  second.open();
}

TEST_CASE("with sync every batch is on the disk when write returns") {
  const Folder folder;
  TestHost host;
  auto config = config_for(folder / "out.jsonl");
  config.sync = true;
  config.max_size = hb::Bytes{4096};
  FileSink sink(config, host.host());
  sink.open();
  write_rows(sink, 0, 100);
  CHECK(read_back(folder / "out.jsonl").back().time_us == row_time(99));
}

TEST_CASE("standard output gets whole lines, a slow reader is waited for until the agent stops") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  UniqueFd in(ends[0]);
  const UniqueFd saved(::dup(1));
  ::dup2(ends[1], 1);
  ::close(ends[1]);
  TestHost host;
  FileSink sink(config_for("-"), host.host());
  sink.open();
  host.stop();
  const auto all = rows(0, 4000);  // more than a pipe holds
  TestBatch batch(all);
  sink.write(batch.sink_batch());
  std::size_t delivered = 0;
  while (delivered < all.size() && batch.verdict(delivered).verdict == 0) ++delivered;
  for (std::size_t i = delivered; i < all.size(); ++i) CHECK(batch.verdict(i).verdict == HB_VERDICT_RETRY);
  ::dup2(saved.get(), 1);
  std::string text(1 << 20, '\0');
  std::size_t size = 0;
  while (true) {
    const ssize_t count = ::read(in.get(), text.data() + size, text.size() - size);
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  CHECK(delivered > 100);
  CHECK(delivered < 4000);
  const Folder folder;
  write_file(folder / "piped", text.substr(0, size));
  CHECK(text[size - 1] == '\n');
  CHECK(are_rows(read_back(folder / "piped"), 0, static_cast<int>(delivered)));
}

TEST_CASE("a reader that has gone away is an error, not the end of the process") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const UniqueFd saved(::dup(1));
  ::dup2(ends[1], 1);
  ::close(ends[1]);
  ::close(ends[0]);
  TestHost host;
  FileSink sink(config_for("-"), host.host());
  sink.open();
  TestBatch batch(rows(0, 1));
  bool refused = false;
  try {
    sink.write(batch.sink_batch());
  } catch (const hb::Failed&) {
    refused = true;
  }
  ::dup2(saved.get(), 1);
  CHECK(refused);
}
