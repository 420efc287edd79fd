// Folders, files and runs for the tests of this folder.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <hbagent/testing.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace hb::file::test {

// A folder of its own for one test, removed at its end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hbagent-file-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
    std::filesystem::create_directory(path_ / "state");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string state() const { return *this / "state"; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}
inline void append_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}
inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Waits for something another thread does. The bound only ends a test that has failed.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Row `i` of a made-up series: a second apart, every value distinct within its neighbourhood.
inline std::int64_t row_time(int i) {
  return (1'700'000'000LL + i) * 1'000'000;
}
inline int row_rate(int i) {
  return 40 + (i * 7) % 160;
}
// "2023-11-14T22:13:20Z,40\n" and so on for rows [first, last).
std::string csv_rows(int first, int last);
std::string json_rows(int first, int last, const std::string& id = "cust");
// Whether the readings are exactly rows [first, last) of that series.
bool are_rows(const std::vector<Reading>& readings, int first, int last);

}  // namespace hb::file::test
