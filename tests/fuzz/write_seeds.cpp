// fuzz_journal_seeds FOLDER: writes the inputs that the fuzzer begins with, a file each.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "journal_damage.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_journal_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder(argv[1]);
  std::filesystem::create_directories(folder);
  std::size_t number = 0;
  for (const std::string& seed : hbagent::seed_inputs()) {
    std::ofstream file(folder / ("seed-" + std::to_string(number++)), std::ios::binary);
    file.write(seed.data(), static_cast<std::streamsize>(seed.size()));
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write to %s\n", argv[1]);
      return 1;
    }
  }
  return 0;
}
