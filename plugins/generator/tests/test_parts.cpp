// Cadence, customer ids, the position file, and the functions behind the model.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <hbagent/host.hpp>
#include <random>

#include "cadence.hpp"
#include "id_pattern.hpp"
#include "position_file.hpp"
#include "random.hpp"
#include "support/catch.hpp"

using generator::Cadence;
using generator::IdPattern;
using generator::Position;
using generator::PositionFile;

TEST_CASE("one customer's readings lie exactly an interval apart and all times rise") {
  const std::int64_t begin = 1'767'225'600'000'123;
  for (const Cadence cadence : {Cadence{1'000'000, 7}, Cadence{1, 1000}, Cadence{66, 200}, Cadence{3'600'000'000, 1},
                                Cadence{333'333, 10'000'000}}) {
    CAPTURE(cadence.interval_us, cadence.customers);
    const std::int64_t first = cadence.first_at_or_after(begin);
    for (std::int64_t i = first; i < first + 3000; ++i) {
      REQUIRE(cadence.time_us(i + cadence.customers) - cadence.time_us(i) == cadence.interval_us);
      REQUIRE(cadence.time_us(i + 1) >= cadence.time_us(i));
    }
  }
}

TEST_CASE("the first reading at or after a time has none between it and that time") {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20'000; ++i) {
    const auto interval = static_cast<std::int64_t>(random() % (i % 2 == 0 ? 50 : 3'600'000'000)) + 1;
    const auto most = static_cast<std::uint64_t>(std::min<std::int64_t>(10'000'000, interval * 1000));
    const Cadence cadence{interval, static_cast<std::int64_t>(random() % most) + 1};
    const auto time = static_cast<std::int64_t>(random() % 7'258'118'400'000'000);
    const std::int64_t index = cadence.first_at_or_after(time);
    CAPTURE(cadence.interval_us, cadence.customers, time);
    REQUIRE(cadence.time_us(index) >= time);
    if (index > 0) REQUIRE(cadence.time_us(index - 1) < time);
  }
}

TEST_CASE("customers are spread evenly over the interval") {
  const Cadence cadence{1'000'000, 4};
  CHECK(cadence.phase_us(0) == 0);
  CHECK(cadence.phase_us(1) == 250'000);
  CHECK(cadence.phase_us(3) == 750'000);
}

TEST_CASE("an id pattern numbers the customers") {
  CHECK(IdPattern("cust_{:05}", 100'000).id(42) == "cust_00042");
  CHECK(IdPattern("cust_{:02}", 1'000).id(999) == "cust_999");
  CHECK(IdPattern("{}", 1).id(0) == "0");
  CHECK(IdPattern("urn:uuid:{:012}-ward", 5).id(3) == "urn:uuid:000000000003-ward");
  CHECK(IdPattern("Björn", 1).id(0) == "Björn");
  CHECK(IdPattern(std::string(31, 'x') + "{:010}", 5).id(3).size() == 41);
}

TEST_CASE("an id pattern that cannot name every customer is refused with a reason") {
  struct Case {
    std::string pattern;
    std::uint32_t customers;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"cust", 2, "share one id"},
      {"{}{}", 2, "exactly one"},
      {"a}b{", 2, "exactly one"},
      {"a{", 2, "exactly one"},
      {"{:5}", 2, "neither {} nor"},
      {"{:0}", 2, "neither {} nor"},
      {"{:0x}", 2, "neither {} nor"},
      {"{:099999999999999999999}", 2, "neither {} nor"},
      {"{:042}", 2, "42 bytes; at most 41"},
      {std::string(40, 'x') + "{}", 11, "42 bytes; at most 41"},
      {"", 1, "empty"},
      {"a\nb{}", 2, "control"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pattern);
    CHECK_THROWS_WITH(IdPattern(c.pattern, c.customers), contains_text(c.reason));
  }
  CHECK_NOTHROW(IdPattern(std::string(40, 'x') + "{}", 10));
}

TEST_CASE("exponential, logarithm and cosine are right to a few of the last bits") {
  for (double x = -30; x < 30; x += 0.0137) {
    CHECK(generator::exponential(x) == Approx(std::exp(x)).epsilon(1e-14));
    CHECK(generator::logarithm(std::exp(x)) == Approx(x).epsilon(1e-13).margin(1e-14));
  }
  for (double turns = 0; turns <= 1; turns += 0.00123) {
    CHECK(generator::cosine_of_turns(turns) == Approx(std::cos(turns * 2 * std::acos(-1.0))).margin(1e-14));
  }
}

namespace {

// A folder that goes with the test.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hbagent-generator-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("the position file gives back what was stored, and only to the same series") {
  const Folder folder;
  const PositionFile file(folder.path.string(), "seed 1");
  std::string why;
  CHECK(!file.load(why));
  CHECK(why.empty());

  file.store({5, 17});
  file.store({5, 23});
  CHECK(file.load(why) == Position{5, 23});
  CHECK(!PositionFile(folder.path.string(), "seed 2").load(why));
  CHECK(why.find("another series") != std::string::npos);
}

TEST_CASE("a damaged position file is named and does not count") {
  const Folder folder;
  const PositionFile file(folder.path.string(), "seed 1");
  for (const char* text : {"", "seed 1\n", "seed 1\nfirst 5\nnext 2", "seed 1\nfirst 5\nnext 23\nen",
                           "seed 1\nfirst 5\nnext 2\nend\n", "seed 1\nfirst x\nnext 23\nend\n"}) {
    CAPTURE(text);
    std::ofstream(folder.path / "position") << text;
    std::string why;
    CHECK(!file.load(why));
    CHECK(why.find("damaged") != std::string::npos);
  }
}

TEST_CASE("a position that cannot be stored is an error") {
  CHECK_THROWS_WITH(PositionFile("/nonexistent/folder", "seed 1").store({1, 2}),
                    contains_text("cannot write /nonexistent/folder"));
}
