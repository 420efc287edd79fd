#include "dlq_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "text.hpp"
#include "visible_text.hpp"

namespace hbagent {
namespace {

constexpr std::array<const char*, 7> kHeader = {"id", "time (UTC)", "source", "refused by", "reason", "origin", "size"};
constexpr std::size_t kOrigin = 5;
constexpr std::size_t kShortestOrigin = 12;

bool is_right_aligned(std::size_t column) {
  return column == 0 || column == kHeader.size() - 1;
}

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

// Cells of a terminal, as far as characters are one cell wide.
std::size_t cells(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

// The end of it, in at most `width` cells.
std::string end_of(std::string_view text, std::size_t width) {
  if (cells(text) <= width) return std::string(text);
  std::size_t at = text.size();
  for (std::size_t taken = 0; taken + 1 < width && at > 0;) {
    if (begins_character(text[--at])) ++taken;
  }
  return "\u2026" + std::string(text.substr(at));
}

// 2026-11-22 10:00:00
std::string short_time(std::int64_t time_us) {
  std::string text = iso_time(time_us);
  text.resize(text.size() - std::string_view(".123456Z").size());
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

std::string hex_dump(std::string_view bytes) {
  constexpr std::size_t kRow = 16;
  std::string out;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kRow) {
    const std::string_view row = bytes.substr(begin, kRow);
    std::string hex, text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto byte = static_cast<unsigned char>(row[i]);
      hex += fmt::format("{}{:02x}", i == kRow / 2 ? "  " : " ", byte);
      text += byte >= 0x20 && byte < 0x7f ? row[i] : '.';
    }
    out += fmt::format("{:08x} {:<49}  |{}|\n", begin, hex, text);
  }
  return out;
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits[unit]);
}

void LetterTable::add(const StoredLetter& letter) {
  const bool by_source = refuser_of(letter).kind == "source";
  rows_.push_back({std::to_string(letter.id), short_time(letter.time_us), visible_line(letter.source),
                   by_source ? "source" : visible_line(letter.instance), visible_line(letter.reason),
                   visible_line(letter.origin), size_text(letter.size())});
  ++reasons_[letter.reason];
}

std::string LetterTable::text(std::size_t width) const {
  std::array<std::size_t, kColumns> widths{};
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], cells(row[i]));
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < kColumns; ++i) {
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], cells(kHeader[i]));
    total += widths[i] + (total == 0 ? 0 : 1);
  }
  if (total > width && widths[kOrigin] > kShortestOrigin) {
    widths[kOrigin] -= std::min(total - width, widths[kOrigin] - kShortestOrigin);
  }
  std::string out;
  const auto add_row = [&](const auto& row) {
    std::string line;
    for (std::size_t i = 0; i < kColumns; ++i) {
      if (widths[i] == 0) continue;
      const std::string cell = i == kOrigin ? end_of(row[i], widths[i]) : std::string(row[i]);
      const std::string padding(widths[i] - std::min(widths[i], cells(cell)), ' ');
      line += (line.empty() ? "" : " ") + (is_right_aligned(i) ? padding + cell : cell + padding);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  add_row(kHeader);
  for (const auto& row : rows_) add_row(row);
  return out;
}

std::string LetterTable::summary() const {
  if (rows_.empty()) return "no dead letters";
  std::vector<std::pair<std::string, std::uint64_t>> counts(reasons_.begin(), reasons_.end());
  std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts)
    parts.push_back(fmt::format("{} {}", grouped(count), visible_line(reason)));
  return fmt::format("{} letter{}: {}", grouped(rows_.size()), rows_.size() == 1 ? "" : "s", joined(parts));
}

std::string letter_text(const StoredLetter& letter) {
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:<14} {}\n", name, value);
  };
  line("id", std::to_string(letter.id));
  line("time", iso_time(letter.time_us));
  line("source", visible_line(letter.source));
  line("refused by", visible_line(letter.instance));
  line("reason", visible_line(letter.reason));
  line("sqlstate", visible_line(letter.sqlstate));
  line("detail", visible_line(letter.detail));
  line("origin", visible_line(letter.origin));
  if (letter.received_us != 0) line("received", iso_time(letter.received_us));
  if (letter.refused_again_us != 0) line("refused again", iso_time(letter.refused_again_us));
  if (letter.key) line("key", is_plain_text(*letter.key) ? visible_line(*letter.key) : "base64 " + base64(*letter.key));
  std::string size = grouped(letter.size()) + " bytes";
  if (letter.truncated) {
    size += fmt::format(", of which the first {} were kept: it cannot be replayed", grouped(letter.payload.size()));
  }
  line("payload", size);
  out += '\n';
  out += is_plain_text(letter.payload) ? visible_text(letter.payload) : hex_dump(letter.payload);
  if (out.back() != '\n') out += '\n';
  return out;
}

}  // namespace hbagent
