// Runs the fuzz entry on mutations of good inputs, so that every build and sanitizer does, also without libFuzzer.
#include <cstdint>
#include <random>
#include <string>

#include "support/catch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

TEST_CASE("mutated inputs are accepted as sound readings or refused") {
  const std::string seeds[] = {
      std::string(1, '\0') +
          R"({"customer_id":"c\u00e4","time":"2026-11-22T10:00:00.5Z","heart_rate":72,"flags":["low"]})",
      "\x01"
      R"({"all":[{"n":"hr","values":[{"id":7,"time":"2026-11-22 10:00:00","hr":"72.5","quality":1}]}]})",
      "\x02"
      "id,time,hr\r\n\"a\"\"b\",2026-11-22T10:00:00+01:00,72\nb,2026-11-22T10:00:60Z,1e2\n",
      "\x03"
      "2016-12-31T23:59:60.123+00:00",
      "\x04"
      "Thu 15 Jan 26 11:59:58.25 PM +0130",
      "\x05"
      "a/b/c",
      "\x06"
      "72.5",
      std::string("\x07\x11\x48\x00\xff\xff", 6),
      "\x08"
      "16 48 54 01 EC 02",
      "\x09"
      R"([{"bn":"d:","bt":1768478390,"bu":"beat/min","bv":1,"bver":10,"n":"hr","v":72},{"n":"hr","t":-2.5,"v":"7"}])"};
  std::mt19937_64 random(1);
  for (int round = 0; round < 200'000; ++round) {
    std::string input = seeds[random() % std::size(seeds)];
    for (std::size_t changes = random() % 5; changes > 0; --changes) {
      const std::size_t at = random() % input.size();
      switch (random() % 4) {
        case 0:
          input[at] = static_cast<char>(random());
          break;
        case 1:
          input.insert(at, 1, input[random() % input.size()]);
          break;
        case 2:
          input.erase(at, 1 + random() % 4);
          break;
        default:
          input.insert(at, input.substr(random() % input.size(), random() % 20));
      }
      if (input.empty()) input = "x";
    }
    // A buffer of its own without a NUL behind it: reading past the end is then seen.
    const std::vector<std::uint8_t> exact(input.begin(), input.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }
}
