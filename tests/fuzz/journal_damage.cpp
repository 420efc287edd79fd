#include "journal_damage.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <random>

#include "journal/crc32c.hpp"

namespace hbagent {
namespace {

enum Step : std::uint8_t { flip, overwrite, cut, zero, splice, remove, rename, forge, kSteps };
constexpr std::uint8_t kReplace = 0x80;  // in the first byte: what follows is a whole segment file

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  // Little-endian; bytes that are not there are zero.
  template <class Number>
  Number number() {
    Number value = 0;
    const std::size_t size = std::min(sizeof value, bytes_.size());
    std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }
  // Below `end`, which is not zero.
  std::size_t below(std::size_t end) { return number<std::uint16_t>() % end; }
  std::string rest(std::size_t most = ~std::size_t{0}) {
    const auto part = bytes_.first(std::min(most, bytes_.size()));
    bytes_ = bytes_.subspan(part.size());
    return {part.begin(), part.end()};
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

std::string& pick(Files& files, std::uint8_t index) {
  return std::next(files.begin(), index % static_cast<std::ptrdiff_t>(files.size()))->second;
}

void worsen(DamagedJournal::Kind& kind, DamagedJournal::Kind to) {
  kind = std::max(kind, to);
}

void copy_piece(Input& input, DamagedJournal& made, std::string& to, std::size_t offset) {
  const std::string& from = pick(made.files, input.number<std::uint8_t>());
  if (from.empty()) return;
  const std::size_t at = input.below(from.size());
  const std::string piece = from.substr(at, 1 + input.below(1024));
  to.replace(offset, std::min(piece.size(), to.size() - offset), piece);
  worsen(made.kind, DamagedJournal::Kind::pieces);
}

void rename_file(Input& input, DamagedJournal& made, std::size_t index) {
  const bool keep = input.number<std::uint8_t>() % 2 == 0;
  const auto sequence = input.number<std::uint8_t>() % std::uint64_t{8};
  const SegmentName name{sequence, input.number<std::uint8_t>()};
  const std::uint8_t prefix = input.number<std::uint8_t>();
  const auto from = std::next(made.files.begin(), static_cast<std::ptrdiff_t>(index % made.files.size()));
  const std::string content = from->second;
  if (!keep) made.files.erase(from);
  const char* const prefixes[] = {"", "", kRewriteFile, kSpareFile};
  made.files[prefixes[prefix % 4] + file_name(name)] = content;
  worsen(made.kind, DamagedJournal::Kind::pieces);
}

// Changes a field of a frame's header and lets the checksum agree.
void forge_frame(Input& input, DamagedJournal& made) {
  const auto& frame = made.base->frames[input.below(made.base->frames.size())];
  const std::uint8_t field = input.number<std::uint8_t>();
  const auto value = input.number<std::uint64_t>();
  worsen(made.kind, DamagedJournal::Kind::forged);
  const auto found = made.files.find(frame.file);
  if (found == made.files.end() || found->second.size() < frame.offset + sizeof(FrameHeader)) return;
  FrameHeader header = frame.header;
  switch (field % 5) {
    case 0:
      header.position = value;
      break;
    case 1:
      header.count = static_cast<std::uint32_t>(value);
      break;
    case 2:
      header.payload_size = static_cast<std::uint32_t>(value);
      break;
    case 3:
      header.count = static_cast<std::uint32_t>(value % (2 * kFrameReadings));
      header.payload_size = header.count * static_cast<std::uint32_t>(sizeof(hb_reading));
      break;
    default:
      header.source = static_cast<std::uint32_t>(value);
  }
  const auto name = parse_file_name(frame.file);
  constexpr std::size_t kFrom = offsetof(FrameHeader, position);
  const char* const payload = found->second.data() + frame.offset + sizeof header;
  const std::size_t there = found->second.size() - frame.offset - sizeof header;
  header.payload_crc = crc32c(payload, std::min<std::size_t>(header.payload_size, there));
  header.header_crc =
      crc32c(reinterpret_cast<const char*>(&header) + kFrom, sizeof header - kFrom, frame_seed(name->sequence));
  std::memcpy(found->second.data() + frame.offset, &header, sizeof header);
}

void take_step(Input& input, DamagedJournal& made) {
  const std::uint8_t step = input.number<std::uint8_t>() % kSteps;
  if (step == forge) return forge_frame(input, made);
  if (made.files.empty()) return;
  const std::uint8_t index = input.number<std::uint8_t>();
  if (step == rename) return rename_file(input, made, index);
  if (step == remove) {
    made.files.erase(std::next(made.files.begin(), index % static_cast<std::ptrdiff_t>(made.files.size())));
    return worsen(made.kind, DamagedJournal::Kind::pieces);
  }
  std::string& file = pick(made.files, index);
  if (file.empty()) return;
  const std::size_t offset = input.below(file.size());
  switch (step) {
    case flip:
      file[offset] = static_cast<char>(file[offset] ^ (1 << input.number<std::uint8_t>() % 8));
      return;
    case overwrite: {
      const std::string bytes = input.rest(1 + input.number<std::uint8_t>() % 64);
      file.replace(offset, std::min(bytes.size(), file.size() - offset), bytes);
      return;
    }
    case cut:
      file.resize(offset);
      return;
    case zero: {
      const std::size_t size = std::min(1 + input.below(4096), file.size() - offset);
      file.replace(offset, size, size, '\0');
      return;
    }
    default:
      copy_piece(input, made, file, offset);
  }
}

// ---- seeds -------------------------------------------------------------------------------------------------------

class Writer {
 public:
  Writer& byte(std::size_t value) {
    bytes_ += static_cast<char>(value);
    return *this;
  }
  Writer& word(std::size_t value) { return byte(value).byte(value >> 8); }
  Writer& text(const std::string& value) {
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::size_t index_of(const Files& files, const std::string& name) {
  return static_cast<std::size_t>(std::distance(files.begin(), files.find(name)));
}

void damage_seeds(std::size_t number, const BaseJournal& base, std::vector<std::string>& seeds) {
  for (const BaseJournal::Frame& frame : base.frames) {
    const std::size_t file = index_of(base.files, frame.file);
    const auto begin = [&](Step step) { return Writer().byte(number).byte(step).byte(file); };
    seeds.push_back(begin(flip).word(frame.offset + 9).byte(3).bytes());
    seeds.push_back(begin(flip).word(frame.offset + sizeof(FrameHeader) + 5).byte(0).bytes());
    seeds.push_back(begin(cut).word(frame.offset + frame.size - 1).bytes());
    seeds.push_back(begin(zero).word(frame.offset).word(frame.size).bytes());
    seeds.push_back(begin(overwrite).word(frame.offset + 40).byte(7).text("damaged!").bytes());
  }
  for (std::size_t file = 0; file < base.files.size(); ++file) {
    for (const std::size_t offset : {0u, 12u, 2060u, 4200u}) {
      seeds.push_back(Writer().byte(number).byte(flip).byte(file).word(offset).byte(1).bytes());
      seeds.push_back(Writer().byte(number).byte(cut).byte(file).word(offset).bytes());
    }
    // Both of a file's headers, or both copies of a cursor.
    seeds.push_back(Writer()
                        .byte(number)
                        .byte(zero)
                        .byte(file)
                        .word(0)
                        .word(4095)
                        .byte(zero)
                        .byte(file)
                        .word(4096)
                        .word(4095)
                        .bytes());
    seeds.push_back(Writer().byte(number).byte(remove).byte(file).bytes());
    for (const std::size_t prefix : {0u, 2u, 3u}) {
      seeds.push_back(
          Writer().byte(number).byte(rename).byte(file).byte(prefix / 2).byte(file + 2).byte(9).byte(prefix).bytes());
    }
    seeds.push_back(
        Writer().byte(number).byte(splice).byte(file).word(4096).byte(file + 1).word(4300).word(300).bytes());
  }
}

}  // namespace

bool DamagedJournal::intact(const BaseJournal::Frame& frame) const {
  const auto found = files.find(frame.file);
  if (found == files.end() || found->second.size() < frame.offset + frame.size) return false;
  return found->second.compare(frame.offset, frame.size, base->files.at(frame.file), frame.offset, frame.size) == 0;
}

DamagedJournal make_damaged(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const auto first = input.number<std::uint8_t>();
  DamagedJournal made;
  made.base = &base_journals()[(first & ~kReplace) % base_journals().size()];
  made.files = made.base->files;
  if ((first & kReplace) != 0) {
    made.files[made.base->frames.back().file] = input.rest();
    made.kind = DamagedJournal::Kind::forged;
    return made;
  }
  constexpr std::size_t kMostSteps = 32;
  for (std::size_t steps = 0; steps < kMostSteps && !input.empty(); ++steps) take_step(input, made);
  return made;
}

std::vector<std::string> seed_inputs() {
  std::vector<std::string> seeds;
  for (std::size_t number = 0; number < base_journals().size(); ++number) {
    const BaseJournal& base = base_journals()[number];
    seeds.push_back(Writer().byte(number).bytes());
    damage_seeds(number, base, seeds);
    for (std::size_t field = 0; field < 5; ++field) {
      for (const std::size_t frame : {std::size_t{0}, std::size_t{2}, base.frames.size() - 1}) {
        seeds.push_back(
            Writer().byte(number).byte(forge).word(frame).byte(field).word(1000).word(0).word(0).word(0).bytes());
      }
    }
    const auto& newest = base.frames.back();
    seeds.push_back(Writer()
                        .byte(kReplace | number)
                        .text(base.files.at(newest.file).substr(0, newest.offset + newest.size))
                        .bytes());
  }
  return seeds;
}

}  // namespace hbagent
