#include "hbcommon/time_zone.hpp"

#include "hbcommon/time.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "posix_zone_rule.hpp"

namespace hb::codec {
namespace {

constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLastRuleYear = 2400;

// Big-endian numbers of a TZif file, each read checked against its end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw std::runtime_error("the file is cut off");
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::int64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
    return static_cast<std::int64_t>((value ^ sign) - sign);
  }
  std::size_t count() { return static_cast<std::size_t>(number(4)); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// RFC 8536, section 3.1.
struct Header {
  char version;
  std::size_t is_utc, is_standard, leaps, transitions, types, characters;

  std::size_t body_size(std::size_t time_size) const {
    return transitions * (time_size + 1) + types * 6 + characters + leaps * (time_size + 4) + is_standard + is_utc;
  }
};

Header read_header(Reader& in) {
  if (in.take(4) != "TZif") throw std::runtime_error("it is no TZif file");
  Header header{};
  header.version = in.take(16)[0];
  header.is_utc = in.count();
  header.is_standard = in.count();
  header.leaps = in.count();
  header.transitions = in.count();
  header.types = in.count();
  header.characters = in.count();
  constexpr std::size_t kSane = 100'000;
  for (const std::size_t each :
       {header.is_utc, header.is_standard, header.leaps, header.transitions, header.types, header.characters}) {
    if (each > kSane) throw std::runtime_error("its header makes no sense");
  }
  if (header.types == 0) throw std::runtime_error("it has no offset");
  return header;
}

std::string file_content(const std::string& name) {
  const bool safe =
      !name.empty() && name[0] != '/' && name.find("..") == std::string::npos && name.find('\0') == std::string::npos;
  if (!safe) throw std::runtime_error("that is no name of a zone");
  const char* const folder = std::getenv("TZDIR");
  std::ifstream in(std::string(folder == nullptr ? "/usr/share/zoneinfo" : folder) + '/' + name, std::ios::binary);
  if (!in) throw std::runtime_error("there is no such zone on this system (package tzdata)");
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) throw std::runtime_error("its file cannot be read");
  return bytes;
}

}  // namespace

std::shared_ptr<const TimeZone> TimeZone::load(const std::string& name) {
  const auto zone = std::make_shared<TimeZone>();
  if (name == "UTC") {
    zone->periods_.push_back({kBeginning, 0});
    return zone;
  }
  try {
    zone->read_file(file_content(name));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("zone \"" + name + "\": " + error.what());
  }
  return zone;
}

void TimeZone::read_file(const std::string& bytes) {
  Reader in(bytes);
  const Header old = read_header(in);
  if (old.version < '2') throw std::runtime_error("its file is of version 1, without times beyond 2038");
  in.take(old.body_size(4));
  const Header header = read_header(in);
  std::vector<std::int64_t> starts;
  for (std::size_t i = 0; i < header.transitions; ++i) {
    const std::int64_t seconds = in.number(8);
    starts.push_back(std::clamp(seconds, kMinTimeUs / kMicrosPerSecond, kMaxTimeUs / kMicrosPerSecond) *
                     kMicrosPerSecond);
  }
  const std::string_view types = in.take(header.transitions);
  std::vector<std::int64_t> offsets;
  for (std::size_t i = 0; i < header.types; ++i) {
    offsets.push_back(in.number(4) * kMicrosPerSecond);
    in.take(2);
  }
  in.take(header.characters + header.leaps * 12 + header.is_standard + header.is_utc);
  periods_.push_back({kBeginning, offsets.front()});
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto type = static_cast<unsigned char>(types[i]);
    if (type >= offsets.size() || starts[i] < periods_.back().start_us) throw std::runtime_error("its table is broken");
    periods_.push_back({starts[i], offsets[type]});
  }
  const std::string_view footer = in.rest();
  if (footer.size() > 2 && footer.front() == '\n' && footer.back() == '\n') {
    extend_by_rule(footer.substr(1, footer.size() - 2));
  }
}

// The file's table ends; what comes later follows the rule in its footer.
void TimeZone::extend_by_rule(std::string_view text) {
  const PosixZoneRule rule = PosixZoneRule::parse(text);
  const std::int64_t known_until = periods_.back().start_us;
  if (!rule.has_summer) {
    if (periods_.size() == 1) periods_.back().offset_us = rule.standard_offset_us;
    return;
  }
  for (std::int64_t year = 1970; year <= kLastRuleYear; ++year) {
    Period begin{rule.summer_begin.local_us(year) - rule.standard_offset_us, rule.summer_offset_us};
    Period end{rule.summer_end.local_us(year) - rule.summer_offset_us, rule.standard_offset_us};
    if (end.start_us < begin.start_us) std::swap(begin, end);
    if (begin.start_us > known_until) periods_.push_back(begin);
    if (end.start_us > known_until) periods_.push_back(end);
  }
}

std::int64_t TimeZone::to_utc(std::int64_t local_us) const {
  // The first period that this local time falls into, or before which it is skipped. Offsets are less than a day, so
  // periods that end more than a day before cannot be it.
  const auto later = std::upper_bound(periods_.begin() + 1, periods_.end(), local_us - kMicrosPerDay,
                                      [](std::int64_t time, const Period& period) { return time < period.start_us; });
  for (auto next = later;; ++next) {
    const auto& period = *std::prev(next);
    const std::int64_t utc = local_us - period.offset_us;
    if (next == periods_.end() || utc < next->start_us) return utc;
    // Skipped: past the end of this period, before the start of the next.
    if (local_us - next->offset_us < next->start_us) return utc;
  }
}

}  // namespace hb::codec
