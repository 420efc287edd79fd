#include "journal/segment_format.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <cstring>

#include "journal/crc32c.hpp"

namespace hbagent {
namespace {

constexpr char kSegmentMagic[8] = {'H', 'B', 'J', 'O', 'U', 'R', 'N', '\n'};
constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kExtension = ".segment";

std::uint32_t checksum(SegmentHeader header) {
  header.crc = 0;
  return crc32c(&header, sizeof header);
}

std::uint32_t checksum(const FrameHeader& header, std::uint32_t seed) {
  constexpr std::size_t kFrom = offsetof(FrameHeader, position);
  return crc32c(reinterpret_cast<const char*>(&header) + kFrom, sizeof header - kFrom, seed);
}

FrameHeader make_frame(std::uint32_t seed, std::uint64_t position, std::uint32_t count, std::uint32_t source,
                       const void* payload, std::size_t payload_size, std::int64_t now_us) {
  FrameHeader header{};
  header.magic = kFrameMagic;
  header.position = position;
  header.written_us = now_us;
  header.count = count;
  header.source = source;
  header.payload_size = static_cast<std::uint32_t>(payload_size);
  header.payload_crc = crc32c(payload, payload_size);
  header.header_crc = checksum(header, seed);
  return header;
}

}  // namespace

std::string file_name(const SegmentName& name) {
  return fmt::format("{:012}-{:020}{}", name.sequence, name.first, kExtension);
}

std::optional<SegmentName> parse_file_name(const std::string& name) {
  SegmentName parsed;
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos || !name.ends_with(kExtension)) return std::nullopt;
  const char* end = name.data() + name.size() - kExtension.size();
  const auto sequence = std::from_chars(name.data(), name.data() + dash, parsed.sequence);
  const auto first = std::from_chars(name.data() + dash + 1, end, parsed.first);
  if (sequence.ec != std::errc() || first.ec != std::errc() || file_name(parsed) != name) return std::nullopt;
  if (parsed.first > kMaxPosition || parsed.sequence > kMaxPosition) return std::nullopt;
  return parsed;
}

SegmentHeader make_segment_header(std::uint64_t journal_id, const SegmentName& name, std::int64_t now_us) {
  SegmentHeader header{};
  std::memcpy(header.magic, kSegmentMagic, sizeof header.magic);
  header.version = kVersion;
  header.journal_id = journal_id;
  header.sequence = name.sequence;
  header.first = name.first;
  header.created_us = now_us;
  header.crc = checksum(header);
  return header;
}

HeaderState check(const SegmentHeader& header) {
  if (std::memcmp(header.magic, kSegmentMagic, sizeof header.magic) != 0 || header.crc != checksum(header)) {
    return HeaderState::damaged;
  }
  return header.version == kVersion ? HeaderState::sound : HeaderState::another_version;
}

std::uint32_t frame_seed(std::uint64_t sequence) {
  return crc32c(&sequence, sizeof sequence);
}

FrameHeader make_readings_frame(std::uint32_t seed, std::uint64_t position, std::uint32_t source,
                                std::span<const hb_reading> readings, std::int64_t now_us) {
  return make_frame(seed, position, static_cast<std::uint32_t>(readings.size()), source, readings.data(),
                    readings.size_bytes(), now_us);
}

FrameHeader make_names_frame(std::uint32_t seed, std::uint64_t position, std::string_view names, std::int64_t now_us) {
  return make_frame(seed, position, 0, 0, names.data(), names.size(), now_us);
}

bool is_sound(const FrameHeader& header, std::uint32_t seed) {
  return header.magic == kFrameMagic && header.payload_size <= kMaxPayload && header.position <= kMaxPosition &&
         header.header_crc == checksum(header, seed) &&
         (header.count == 0 || header.payload_size == header.count * sizeof(hb_reading));
}

bool payload_is_sound(const FrameHeader& header, const void* payload) {
  return crc32c(payload, header.payload_size) == header.payload_crc;
}

std::uint32_t source_id(std::string_view name) {
  return crc32c(name.data(), name.size());
}

std::string encode_names(std::span<const std::string> names) {
  std::string payload;
  for (const std::string& name : names) {
    payload += name;
    payload += '\0';
  }
  return payload;
}

std::vector<std::string> decode_names(std::string_view payload) {
  std::vector<std::string> names;
  for (std::size_t end = 0; (end = payload.find('\0')) != std::string_view::npos; payload.remove_prefix(end + 1)) {
    names.emplace_back(payload.substr(0, end));
  }
  return names;
}

}  // namespace hbagent
