// The journal on disk, byte by byte.
//
// A journal is a folder of segment files of equal size, named SEQUENCE-FIRST.segment: both numbers count up, FIRST is
// the position of its first reading. A segment reaches to where the first of a later one begins, so one that was
// rewritten is superseded as a whole or from some position on. A file begins with a header block; frames follow, one
// behind the other, each with its own checksums, which are seeded with the segment's sequence: what a recycled file
// still holds from its life before is no frame of its new one. Numbers are little-endian.
#pragma once

#include <hbagent/plugin.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hbagent {

static_assert(std::endian::native == std::endian::little, "the journal's format is little-endian");

inline constexpr std::uint64_t kHeaderBlock = 4096;       // bytes in front of the first frame
inline constexpr std::uint64_t kHeaderCopy = 2048;        // the header stands at 0 and here
inline constexpr std::uint32_t kFrameMagic = 0x314D5246;  // "FRM1"
inline constexpr std::uint32_t kFrameReadings = 1024;     // most readings in one frame
// No journal comes so far: a number beyond it was not written by one, and sums of those below do not overflow.
inline constexpr std::uint64_t kMaxPosition = std::uint64_t{1} << 62;
inline constexpr std::uint32_t kMaxPayload = kFrameReadings * sizeof(hb_reading);

struct SegmentHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t crc;  // CRC-32C of the header with this field zero
  std::uint64_t journal_id;
  std::uint64_t sequence;
  std::uint64_t first;      // position of the first reading
  std::int64_t created_us;  // since the Unix epoch
};
static_assert(sizeof(SegmentHeader) == 48);

struct FrameHeader {
  std::uint32_t magic;
  std::uint32_t header_crc;    // of the fields below, seeded with the sequence
  std::uint64_t position;      // of the first reading; of the next one where the frame holds none
  std::int64_t written_us;     // since the Unix epoch
  std::uint32_t count;         // readings; 0: the payload is the table of source names
  std::uint32_t source;        // source_id of the source's name
  std::uint32_t payload_size;  // bytes, without the padding to a multiple of 8
  std::uint32_t payload_crc;
};
static_assert(sizeof(FrameHeader) == 40);

struct SegmentName {
  std::uint64_t sequence = 0;
  std::uint64_t first = 0;
};
inline constexpr const char* kSpareFile = "spare-";      // prefix of the names of files that wait to be used again
inline constexpr const char* kRewriteFile = "rewrite-";  // prefix while a segment is written again
std::string file_name(const SegmentName& name);
std::optional<SegmentName> parse_file_name(const std::string& name);

SegmentHeader make_segment_header(std::uint64_t journal_id, const SegmentName& name, std::int64_t now_us);
enum class HeaderState { sound, damaged, another_version };
HeaderState check(const SegmentHeader& header);

// Frames of one segment are made and checked with its seed.
std::uint32_t frame_seed(std::uint64_t sequence);
FrameHeader make_readings_frame(std::uint32_t seed, std::uint64_t position, std::uint32_t source,
                                std::span<const hb_reading> readings, std::int64_t now_us);
FrameHeader make_names_frame(std::uint32_t seed, std::uint64_t position, std::string_view names, std::int64_t now_us);
// False where no header of a frame begins, by its first four bytes.
inline bool may_be_frame(const char* at) {
  std::uint32_t magic = 0;
  std::memcpy(&magic, at, sizeof magic);
  return magic == kFrameMagic;
}
// Whether this is the header of a frame; says nothing of its payload.
bool is_sound(const FrameHeader& header, std::uint32_t seed);
bool payload_is_sound(const FrameHeader& header, const void* payload);

inline std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + 7) / 8 * 8;
}
inline std::uint64_t frame_size(const FrameHeader& header) {
  return sizeof header + padded(header.payload_size);
}

// A source in frames: derived from its name, so that a lost table of names mixes nobody up.
std::uint32_t source_id(std::string_view name);
// The table of source names as a frame's payload, and back.
std::string encode_names(std::span<const std::string> names);
std::vector<std::string> decode_names(std::string_view payload);

}  // namespace hbagent
