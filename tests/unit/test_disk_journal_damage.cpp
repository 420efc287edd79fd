// The journal on disk: files that are damaged, gone, copied or another journal's.
#include <fstream>

#include "disk_journal_support.hpp"
#include "fault_file_io.hpp"
#include "journal/cursor_file.hpp"
#include "journal/segment_folder.hpp"

using namespace hbagent;                     // NOLINT(google-build-using-namespace): the subject of every line here
using namespace hbagent::disk_journal_test;  // NOLINT(google-build-using-namespace)

TEST_CASE("opening reads no more of a journal of 10 GiB than of a small one") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    auto settings = in(folder.path(), std::uint64_t{20} << 30);
    settings.sync_interval = std::chrono::seconds(10);
    Opened made(settings);
    append(made.journal, made.source, numbered(next, 1000), 1);
  }
  // What 640 segments look like to a start: their names, their sizes, and headers.
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".segment") newest = entry.path();
  }
  const auto header_of = [&](std::uint64_t sequence, std::uint64_t first, std::uint64_t id) {
    return make_segment_header(id, {sequence, first}, 0);
  };
  auto io = make_posix_file_io();
  const std::uint64_t id = read_header(*io, io->open(newest, false).get(), newest)->journal_id;
  std::uint64_t first = 1000;
  for (std::uint64_t sequence = 2; sequence <= 640; ++sequence, first += 200'000) {
    const auto path = folder.path() / file_name({sequence, first});
    const UniqueFd fd = io->open(path, true);
    io->allocate(fd.get(), 16 << 20, path);
    SegmentHeader header = header_of(sequence, first, id);
    const iovec part{&header, sizeof header};
    io->write(fd.get(), {&part, 1}, 0, path);
  }
  auto faults = std::make_shared<FileFaults>();
  Opened made(in(folder.path(), std::uint64_t{20} << 30), faulty_file_io(faults));
  append(made.journal, made.source, numbered(next, 1), 1);
  CHECK(made.journal.snapshot().used_bytes == std::uint64_t{640} * (16 << 20));
  CHECK(faults->read_bytes() < 3 * (16 << 20));  // the newest segment, for its names and its end
}

TEST_CASE("every single-bit flip and every truncation opens, and costs at most the frame that it hits") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  std::string content;
  fs::path segment;
  std::uint64_t used = kHeaderBlock;
  {
    Opened made(in(folder.path(), 2 * kSegment));
    for (std::uint64_t token = 1; token <= 8; ++token) append(made.journal, made.source, numbered(next, 2), token);
    wait_synced(made.journal);
  }
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".segment") segment = entry.path();
  }
  {
    std::ifstream in_file(segment, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in_file), {});
  }
  while (content.substr(used, 40) != std::string(40, '\0')) used += 8;
  const auto read_all = [&](const std::string& bytes) {
    std::ofstream(segment, std::ios::binary | std::ios::trunc) << bytes;
    fs::remove(CursorFile::path_of(folder.path(), "fresh"));
    Opened made(in(folder.path(), 2 * kSegment));
    const std::size_t fresh = made.journal.add_sink({"fresh", {}, 0, false});
    auto got = drain(made.journal, fresh);
    CHECK(made.journal.snapshot().sinks[1].balanced());
    // It goes on: what is appended now is read next.
    std::uint64_t more = 1000;
    append(made.journal, made.source, numbered(more, 1), 1);
    REQUIRE(drain(made.journal, fresh) == std::vector<std::int64_t>{1000});
    return got;
  };
  REQUIRE(read_all(content) == from_to(0, 16));
  const auto lost_one_frame = [](const std::vector<std::int64_t>& got) {
    std::size_t frames_lost = 0;
    for (std::int64_t frame = 0; frame < 8; ++frame) {
      const bool first = std::binary_search(got.begin(), got.end(), 2 * frame);
      const bool second = std::binary_search(got.begin(), got.end(), 2 * frame + 1);
      if (first != second) return false;
      if (!first) ++frames_lost;
    }
    return frames_lost <= 1 && std::is_sorted(got.begin(), got.end());
  };
  for (std::size_t byte = 0; byte < used; ++byte) {
    if (byte >= 64 && byte < kHeaderBlock && byte % 512 != 0) continue;  // the header block's free room
    std::string flipped = content;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << (byte % 8)));
    INFO("byte " << byte);
    REQUIRE(lost_one_frame(read_all(flipped)));
  }
  for (std::size_t size = 0; size < used; size += size < kHeaderBlock ? 509 : 37) {
    INFO("truncated to " << size);
    const auto got = read_all(content.substr(0, size));
    REQUIRE(got == from_to(0, static_cast<std::int64_t>(got.size())));
  }
}

TEST_CASE("a missing segment between others is an error that says what to do") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path()));
    for (std::uint64_t token = 1; token <= 60; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  std::vector<fs::path> segments;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".segment") segments.push_back(entry.path());
  }
  std::sort(segments.begin(), segments.end());
  REQUIRE(segments.size() >= 3);
  fs::remove(segments[1]);
  CHECK_THROWS_WITH(Opened(in(folder.path())),
                    contains_text("lacks segment 2") && contains_text("hbagent journal repair"));
}

TEST_CASE("a copy of a segment under another name is refused, not taken for what came last") {
  TemporaryFolder folder;
  std::uint64_t next = 0;
  {
    Opened made(in(folder.path()));
    for (std::uint64_t token = 1; token <= 40; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  fs::copy(folder.path() / file_name({1, 0}), folder.path() / file_name({99, 0}));
  CHECK_THROWS_WITH(Opened(in(folder.path())), contains_text("copy of segment 1"));
}

TEST_CASE("a sink that is taken out and comes back goes on where it was") {
  TemporaryFolder folder;
  Opened made(in(folder.path()));
  std::uint64_t next = 0;
  append(made.journal, made.source, numbered(next, 10), 1);
  const std::size_t first = made.journal.add_sink({"other", {}, 0, false});
  CHECK(drain(made.journal, first).size() == 10);
  made.journal.remove_sink(first, true);
  append(made.journal, made.source, numbered(next, 10), 2);
  CHECK(drain(made.journal, made.sink).size() == 20);
  CHECK(drain(made.journal, made.journal.add_sink({"other", {}, 0, false})) == from_to(10, 20));
}

TEST_CASE("a segment or a cursor of another journal is refused by name") {
  TemporaryFolder folder, foreign;
  std::uint64_t next = 0;
  for (const auto& path : {folder.path(), foreign.path()}) {
    Opened made(in(path));
    for (std::uint64_t token = 1; token <= 20; ++token) append(made.journal, made.source, numbered(next, 1000), token);
  }
  SECTION("cursor") {
    fs::copy(foreign.path() / "one.cursor", folder.path() / "one.cursor", fs::copy_options::overwrite_existing);
    CHECK_THROWS_WITH(Opened(in(folder.path())), contains_text("one.cursor") && contains_text("another journal"));
  }
  SECTION("segment") {
    for (const auto& entry : fs::directory_iterator(foreign.path())) {
      if (parse_file_name(entry.path().filename().string()).value_or(SegmentName{}).sequence == 2) {
        fs::copy(entry.path(), folder.path() / entry.path().filename(), fs::copy_options::overwrite_existing);
      }
    }
    CHECK_THROWS_WITH(Opened(in(folder.path())), contains_text("another journal"));
  }
}
