#include "positions.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include <hbcommon/replace_file.hpp>

#include "unique_fd.hpp"

namespace hb::file {
namespace {

constexpr std::string_view kHeader = "hbagent file positions 1\n";
constexpr std::string_view kFooter = "end ";

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// FNV-1a, 64 bit.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  return hash;
}

std::string read_first(int fd, std::size_t limit) {
  std::string bytes(limit, '\0');
  std::size_t have = 0;
  while (have < limit) {
    const ssize_t count = ::pread(fd, bytes.data() + have, limit - have, static_cast<off_t>(have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("pread");
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

// A path may hold any byte but NUL; the store is lines of text.
std::string escaped(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      out += text[++i] == 'n' ? '\n' : text[i];
    } else {
      out += text[i];
    }
  }
  return out;
}

template <class Number>
Number take_number(std::string_view& line) {
  Number value{};
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc() || rest == line.data() + line.size() || *rest != ' ') throw std::runtime_error("a number");
  line.remove_prefix(static_cast<std::size_t>(rest + 1 - line.data()));
  return value;
}

std::string text_of(std::span<const Position> positions) {
  std::string text(kHeader);
  for (const Position& p : positions) {
    for (const std::uint64_t number :
         {p.inode, p.offset, p.lines, static_cast<std::uint64_t>(p.start.size), p.start.hash}) {
      text += std::to_string(number) + ' ';
    }
    text += escaped(p.path) + '\n';
  }
  return text + std::string(kFooter) + std::to_string(hash_of(text)) + '\n';
}

std::vector<Position> parse(std::string_view text) {
  const std::size_t footer = text.rfind("\nend ");
  if (!text.starts_with(kHeader) || footer == std::string_view::npos) throw std::runtime_error("header or end missing");
  const std::string_view body = text.substr(0, footer + 1);
  if (text.substr(footer + 1) != std::string(kFooter) + std::to_string(hash_of(body)) + '\n') {
    throw std::runtime_error("checksum");
  }
  std::vector<Position> positions;
  for (std::string_view left = body.substr(kHeader.size()); !left.empty();) {
    std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(line.size() + 1);
    Position p;
    p.inode = take_number<std::uint64_t>(line);
    p.offset = take_number<std::uint64_t>(line);
    p.lines = take_number<std::uint64_t>(line);
    p.start.size = take_number<std::uint32_t>(line);
    p.start.hash = take_number<std::uint64_t>(line);
    p.path = unescaped(line);
    positions.push_back(std::move(p));
  }
  return positions;
}

}  // namespace

Fingerprint fingerprint(std::string_view first_bytes) {
  return {static_cast<std::uint32_t>(first_bytes.size()), first_bytes.empty() ? 0 : hash_of(first_bytes)};
}

Fingerprint fingerprint(int fd, std::uint64_t limit) {
  return fingerprint(read_first(fd, static_cast<std::size_t>(std::min<std::uint64_t>(limit, Fingerprint::kMaxSize))));
}

bool matches(int fd, const Fingerprint& of) {
  return of.size == 0 || fingerprint(fd, of.size) == of;
}

bool can_be(int fd, std::uint64_t offset, const Fingerprint& start) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail("fstat");
  return static_cast<std::uint64_t>(info.st_size) >= offset &&
         start.size >= std::min<std::uint64_t>(offset, Fingerprint::kMaxSize) && matches(fd, start);
}

PositionStore::PositionStore(std::string_view folder)
    : path_(folder.empty() ? std::string() : std::string(folder) + "/positions") {}

std::vector<Position> PositionStore::load() const {
  if (path_.empty()) return {};
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {};
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) fail("cannot read " + path_);
  try {
    return parse(read_first(fd.get(), static_cast<std::size_t>(info.st_size)));
  } catch (const std::system_error&) {
    throw;
  } catch (const std::runtime_error& wrong) {
    throw std::runtime_error(path_ + " is damaged: " + wrong.what());
  }
}

void PositionStore::save(std::span<const Position> positions) const {
  if (!path_.empty()) codec::replace_file(path_, text_of(positions));
}

std::string PositionStore::put_aside() const {
  std::string aside = path_ + ".damaged";
  if (std::rename(path_.c_str(), aside.c_str()) != 0) fail("cannot rename " + path_);
  return aside;
}

}  // namespace hb::file
