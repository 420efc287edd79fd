// Readings a second on one core: parse and format of the wire format, time text. Best of several rounds.
#include <hbcommon/time.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using hb::codec::kReadingJsonCapacity;

template <class Work>
void measure(const char* name, std::size_t count, const Work& work) {
  double best = 1e9;
  for (int round = 0; round < 7; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("%-34s %7.1f M/s\n", name, static_cast<double>(count) / best / 1e6);
}

std::vector<hb::Reading> make_readings(std::size_t count) {
  std::vector<hb::Reading> readings(count);
  for (std::size_t i = 0; i < count; ++i) {
    char id[16];
    const int size = std::snprintf(id, sizeof id, "cust_%05zu", i % 10'000);
    hb::set_customer_id(readings[i], {id, static_cast<std::size_t>(size)});
    readings[i].time_us = 1'795'341'600'123'456 + static_cast<std::int64_t>(i) * 1'003'001;
    readings[i].heart_rate = 50 + static_cast<std::int32_t>(i % 120);
  }
  return readings;
}

std::uint64_t parse_all(const std::vector<std::string>& texts) {
  std::uint64_t sum = 0;
  hb::Reading reading{};
  for (const std::string& text : texts) {
    if (!hb::codec::parse_reading(text, reading).ok()) std::abort();
    sum += static_cast<std::uint64_t>(reading.heart_rate);
  }
  return sum;
}

}  // namespace

int main() {
  constexpr std::size_t kCount = 200'000;
  const std::vector<hb::Reading> readings = make_readings(kCount);
  std::vector<std::string> texts, spaced, times;
  char buffer[kReadingJsonCapacity];
  for (const hb::Reading& reading : readings) {
    texts.emplace_back(buffer, hb::codec::format_reading(reading, buffer));
    spaced.push_back("{\"device\": \"x\\u0041\", " + texts.back().substr(1));
    times.push_back(texts.back().substr(texts.back().find("time") + 7, hb::codec::kTimeTextSize));
  }
  std::uint64_t sink = 0;
  measure("parse_reading, usual shape", kCount, [&] { sink += parse_all(texts); });
  measure("parse_reading, strict reader", kCount, [&] { sink += parse_all(spaced); });
  measure("format_reading", kCount, [&] {
    for (const hb::Reading& reading : readings) sink += hb::codec::format_reading(reading, buffer);
  });
  measure("parse_time", kCount, [&] {
    for (const std::string& text : times) {
      std::int64_t time = 0;
      if (!hb::codec::parse_time(text, time).ok()) std::abort();
      sink += static_cast<std::uint64_t>(time);
    }
  });
  measure("format_time", kCount, [&] {
    for (const hb::Reading& reading : readings) {
      hb::codec::format_time(reading.time_us, buffer);
      sink += static_cast<unsigned char>(buffer[25]);
    }
  });
  std::printf("(%llu)\n", static_cast<unsigned long long>(sink));
}
