// Runs the fuzz entry on its seeds and on changes of them, so that every build and sanitizer does, also without
// libFuzzer.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "journal_damage.hpp"
#include "support/catch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  std::string hex;
  for (const char byte : input) {
    for (const int digit : {(byte >> 4) & 15, byte & 15}) hex += "0123456789abcdef"[digit];
  }
  INFO("the input, for xxd -r -p: " << hex);
  // A buffer of its own without a NUL behind it: reading past the end is then seen.
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

TEST_CASE("a journal without damage is read as it was written") {
  for (std::size_t number = 0; number < hbagent::base_journals().size(); ++number) {
    const hbagent::BaseJournal& base = hbagent::base_journals()[number];
    REQUIRE(base.frames.size() > 5);
    REQUIRE(base.sources.size() == base.readings.size());
    run(std::string(1, static_cast<char>(number)));
  }
}

TEST_CASE("a journal that is damaged in any of the ways of the seeds keeps its promises") {
  const auto seeds = hbagent::seed_inputs();
  REQUIRE(seeds.size() > 400);
  for (const std::string& seed : seeds) run(seed);
}

TEST_CASE("a journal with several damages keeps its promises") {
  const auto seeds = hbagent::seed_inputs();
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    std::string input = seeds[random() % seeds.size()];
    // The steps of others behind its own, and some of the bytes changed.
    for (std::size_t more = random() % 4; more > 0; --more) input += seeds[random() % seeds.size()].substr(1, 64);
    for (std::size_t changes = random() % 3; changes > 0; --changes) {
      input[random() % input.size()] = static_cast<char>(random());
    }
    run(input);
  }
}
