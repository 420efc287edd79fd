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
  } else if (kind == hb::codec::DecoderKind::gatt_hrm) {
    mapping.customer_id.from = hb::codec::CustomerFrom::topic;
    mapping.time.from = hb::codec::TimeFrom::receive;
  } else if (kind == hb::codec::DecoderKind::senml) {
    mapping.customer_id.from = hb::codec::CustomerFrom::topic;
    mapping.time.senml = true;
    mapping.heart_rate.name = "hr";
    mapping.heart_rate.units = {"beat/min"};
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
    decoder.decode({payload, "c7:f9:36:dd:b0:ca", 1, false}, decoded);
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
  // What a plain wearable publishes; its customer is in the topic.
  std::vector<std::string> plain, packs, bytes;
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::string rate = std::to_string(readings[i].heart_rate);
    plain.push_back("{\"time\":\"" + times[i] + "\",\"heart_rate\":" + rate + "}");
    packs.push_back(R"([{"bn":"urn:dev:mac:0024befffe804ff1:","bt":1768478390,"n":"hr","u":"beat/min","v":)" + rate +
                    "}]");
    bytes.push_back({'\x10', static_cast<char>(readings[i].heart_rate), '\x23', '\x04'});
  }
  hb::codec::Mapping by_topic = mapping_of(hb::codec::DecoderKind::json);
  by_topic.customer_id = {.from = hb::codec::CustomerFrom::topic};
  hb::codec::Decoder plain_json(by_topic, {.offered = hb::codec::CustomerFrom::topic});
  hb::codec::Decoder gatt(mapping_of(hb::codec::DecoderKind::gatt_hrm), {.offered = hb::codec::CustomerFrom::topic});
  hb::codec::Decoder senml(mapping_of(hb::codec::DecoderKind::senml), {.offered = hb::codec::CustomerFrom::topic});
  hb::codec::Decoder json(mapping_of(hb::codec::DecoderKind::json));
  hb::codec::Decoder csv(mapping_of(hb::codec::DecoderKind::csv));
  std::uint64_t sink = 0;
  measure("parse_reading, usual shape", kCount, [&] { sink += parse_all(texts); });
  measure("parse_reading, strict reader", kCount, [&] { sink += parse_all(spaced); });
  measure("decoder json, customer by topic", kCount, [&] { sink += decode_all(plain_json, plain); });
  measure("decoder json, by pointers", kCount, [&] { sink += decode_all(json, texts); });
  measure("decoder csv, by columns", kCount, [&] { sink += decode_all(csv, lines); });
  measure("decoder gatt_hrm", kCount, [&] { sink += decode_all(gatt, bytes); });
  measure("decoder senml, one record", kCount, [&] { sink += decode_all(senml, packs); });
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
