#include "test_support.hpp"

#include <ctime>

namespace hb::file::test {
namespace {

// By the C library, so that a fault of the tested time code shows.
std::string iso(std::int64_t time_us) {
  const std::time_t seconds = time_us / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

std::string csv_rows(int first, int last) {
  std::string text;
  for (int i = first; i < last; ++i) text += iso(row_time(i)) + ',' + std::to_string(row_rate(i)) + '\n';
  return text;
}

std::string json_rows(int first, int last, const std::string& id) {
  std::string text;
  for (int i = first; i < last; ++i) {
    text += R"({"customer_id":")" + id + R"(","time":")" + iso(row_time(i)) + R"(","heart_rate":)" +
            std::to_string(row_rate(i)) + "}\n";
  }
  return text;
}

bool are_rows(const std::vector<Reading>& readings, int first, int last) {
  if (readings.size() != static_cast<std::size_t>(last - first)) return false;
  for (int i = first; i < last; ++i) {
    const Reading& reading = readings[static_cast<std::size_t>(i - first)];
    if (reading.time_us != row_time(i) || reading.heart_rate != row_rate(i)) return false;
  }
  return true;
}

}  // namespace hb::file::test
