// Readings a second of CPU time on one core: the wire format, the decoders, time text. Best of several rounds.
#include <hbcommon/decoder.hpp>
#include <hbcommon/time.hpp>
#include <hbcommon/wire.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

using hb::codec::kReadingJsonCapacity;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

const char* only = "";  // the part of a name that selects what to measure

template <class Work>
void measure(const char* name, std::size_t count, const Work& work) {
  if (std::strstr(name, only) == nullptr) return;
  double best = 1e9;
  for (int round = 0; round < 60; ++round) {
    const double start = cpu_seconds();
    work();
    best = std::min(best, cpu_seconds() - start);
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

hb::codec::Mapping mapping_of(hb::codec::DecoderKind kind) {
  hb::codec::Mapping mapping;
  mapping.decoder = kind;
  if (kind == hb::codec::DecoderKind::json) {
    mapping.customer_id.pointer = "/customer_id";
    mapping.time.pointer = "/time";
    mapping.heart_rate.pointer = "/heart_rate";
  } else {
    mapping.customer_id.column = 0;
    mapping.time.column = 1;
    mapping.heart_rate.column = 2;
  }
  return mapping;
}

std::uint64_t decode_all(hb::codec::Decoder& decoder, const std::vector<std::string>& payloads) {
  std::vector<hb::codec::Decoded> decoded;
  std::uint64_t sum = 0;
  for (const std::string& payload : payloads) {
    decoder.decode({payload, "", 1, false}, decoded);
    if (!decoded.front().outcome.ok()) std::abort();
    sum += static_cast<std::uint64_t>(decoded.front().reading.heart_rate);
  }
  return sum;
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) only = arguments[1];
  constexpr std::size_t kCount = 20'000;
  const std::vector<hb::Reading> readings = make_readings(kCount);
  std::vector<std::string> texts, spaced, times, lines;
  char buffer[kReadingJsonCapacity];
  for (const hb::Reading& reading : readings) {
    texts.emplace_back(buffer, hb::codec::format_reading(reading, buffer));
    spaced.push_back("{\"device\": \"x\\u0041\", " + texts.back().substr(1));
    times.push_back(texts.back().substr(texts.back().find("time") + 7, hb::codec::kTimeTextSize));
    lines.push_back(std::string(reading.customer_id) + ',' + times.back() + ',' + std::to_string(reading.heart_rate));
  }
  hb::codec::Decoder json(mapping_of(hb::codec::DecoderKind::json));
  hb::codec::Decoder csv(mapping_of(hb::codec::DecoderKind::csv));
  std::uint64_t sink = 0;
  measure("parse_reading, usual shape", kCount, [&] { sink += parse_all(texts); });
  measure("parse_reading, strict reader", kCount, [&] { sink += parse_all(spaced); });
  measure("decoder json, by pointers", kCount, [&] { sink += decode_all(json, texts); });
  measure("decoder csv, by columns", kCount, [&] { sink += decode_all(csv, lines); });
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
