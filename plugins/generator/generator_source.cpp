#include "generator_source.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <hbcommon/time.hpp>
#include <utility>

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kEarliestStart = 315'532'800'000'000;  // 1980-01-01
constexpr std::int64_t kEndOfTime = 7'258'118'400'000'000;    // 2200-01-01: within every limit downstream
constexpr auto kShortestWait = 10ms;                          // so that slow rates are handed on in batches too
constexpr auto kLongestWait = 1s;                             // so that a clock that was set is noticed
constexpr auto kStoreInterval = 1s;
constexpr std::int64_t kHouseKeepingUs = 1'000'000;
constexpr std::int64_t kShowUs = 100'000;
constexpr std::int64_t kClockStepUs = 1'000'000;  // less is a clock that is adjusted, which evens out

std::string time_text(std::int64_t time_us) {
  std::array<char, hb::codec::kTimeTextSize> text{};
  hb::codec::format_time(time_us, text.data());
  return {text.data(), text.size()};
}

generator::Cadence make_cadence(const GeneratorSource::Config& config) {
  if (config.interval && config.rate) throw hb::Failed("interval and rate exclude each other: set one of them");
  double interval_us = 1e6;
  if (config.interval) interval_us = static_cast<double>(config.interval->count());
  if (config.rate) interval_us = std::round(config.customers * 1e6 / *config.rate);
  if (!(interval_us >= 1 && interval_us <= 3.6e9)) {
    throw hb::Failed("rate and customers give an interval of " + std::to_string(interval_us) +
                     " us between two readings of one customer; 1 us to 1 h is possible");
  }
  if (config.customers > interval_us * 1000) {
    throw hb::Failed("customers and interval give more than 1000 readings a microsecond");
  }
  return {static_cast<std::int64_t>(interval_us), config.customers};
}

std::optional<std::int64_t> parse_start(const std::string& text) {
  if (text == "now") return std::nullopt;
  std::int64_t time_us = 0;
  const auto outcome = hb::codec::parse_time(text, time_us);
  if (!outcome.ok()) {
    throw hb::Failed("start = \"" + text + "\": neither \"now\" nor a time such as \"2026-01-01T00:00:00Z\" (" +
                     outcome.detail + ")");
  }
  if (time_us < kEarliestStart || time_us >= kEndOfTime) {
    throw hb::Failed("start = \"" + text + "\": must lie between the years 1980 and 2200");
  }
  return time_us;
}

std::optional<double> parse_speed(const std::string& text) {
  if (text == "max") return std::nullopt;
  if (text == "realtime") return 1.0;
  double factor = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, factor);
  if (result.ec != std::errc() || result.ptr != end || !(factor >= 1e-3 && factor <= 1e9)) {
    throw hb::Failed("speed = \"" + text + "\": neither \"realtime\" nor \"max\" nor a factor of 0.001 to 1e9");
  }
  return factor;
}

}  // namespace

GeneratorSource::GeneratorSource(const Config& config, hb::Host host)
    : config_(config),
      host_(host),
      cadence_(make_cadence(config)),
      pattern_(config.id_pattern, config.customers),
      start_us_(parse_start(config.start)),
      speed_(parse_speed(config.speed)) {
  if (config.resume && !host.state_dir().empty()) file_.emplace(host.state_dir(), series());
}

void GeneratorSource::open() {
  if (model_) return;
  const Outliers& outliers = config_.outliers;
  model_ = std::make_unique<generator::HeartModel>(generator::HeartModel::Parameters{
      config_.seed,
      config_.customers,
      cadence_.interval_us,
      {outliers.tachycardia, outliers.bradycardia, outliers.sensor_dropout, outliers.motion_spike}});
  writer_ = std::make_unique<generator::ReadingWriter>(pattern_, cadence_, config_.batch_size);
}

void GeneratorSource::run() {
  find_position();
  std::optional<Pace> pace;
  std::int64_t now = host_.now_us();
  if (speed_) pace = make_pace(now);
  hb::Ticker ticker(kStoreInterval, [this] { store_position(); });
  const ShowWindow shown(*this);
  while (position_->next < end_ && !host_.stopping()) {
    const std::int64_t before = std::exchange(now, host_.now_us());
    // A clock that was set back holds up only readings that have the clock's own times.
    if (pace && now < before - kClockStepUs) pace = make_pace(now);
    if (now - kept_house_us_ >= kHouseKeepingUs || now < kept_house_us_) {
      ticker.check();
      keep_house(pace, now);
    }
    const std::uint32_t count = due(pace, now);
    if (count == 0 || now - shown_us_ >= kShowUs || now < shown_us_) show_window(now);
    if (count == 0) {
      if (wait_for_next(*pace, now)) return;
      continue;
    }
    const auto readings = writer_->make(*model_, position_->next, count, now);
    // A reading's token is its index + 1: what is acked is the index to go on with.
    if (!host_.emit(readings, static_cast<std::uint64_t>(position_->next + count))) return;
    position_->next += count;
  }
}

void GeneratorSource::close() {
  try {
    store_position();
  } catch (const hb::Error& error) {
    host_.warn(std::string(error.what()) + "; a restart repeats the readings since the position was last kept");
  }
}

// Where the first run of this instance begins; a later one goes on.
void GeneratorSource::find_position() {
  if (position_) return;
  if (file_) {
    std::string why;
    position_ = file_->load(why);
    if (!why.empty()) host_.warn("begins at start, not where it stood: " + why);
  }
  const bool resumed = position_.has_value();
  if (!resumed) {
    const std::int64_t first = cadence_.first_at_or_after(start_us_.value_or(host_.now_us()));
    position_ = generator::Position{first, first};
  }
  end_ = cadence_.first_at_or_after(kEndOfTime);
  if (config_.count != 0 && config_.count < static_cast<std::uint64_t>(end_ - position_->first)) {
    end_ = position_->first + static_cast<std::int64_t>(config_.count);
  }
  host_.info(std::to_string(config_.customers) + " customers, one reading each every " +
             std::to_string(cadence_.interval_us) + " us, speed " + config_.speed +
             (resumed ? ", goes on at " : ", begins at ") + time_text(cadence_.time_us(position_->next)));
  if (!start_us_ && speed_ != 1.0) {
    host_.warn("start = \"now\" and speed = \"" + config_.speed +
               "\": the readings' times run ahead of the clock, which `validate` rejects; set start to a past time");
  }
}

// With start = "now" in real time a reading is due at its own time, also after a break: what was missed is made up for.
// Else the time goes on from where the readings stand.
GeneratorSource::Pace GeneratorSource::make_pace(std::int64_t now) const {
  if (runs_with_the_clock()) return {now, now, 1};
  return {now, cadence_.time_us(position_->next), *speed_};
}

// How many readings to hand on now.
std::uint32_t GeneratorSource::due(const std::optional<Pace>& pace, std::int64_t now) const {
  std::int64_t end = end_;
  if (pace) {
    const std::int64_t time = std::clamp<std::int64_t>(pace->reading_time(now), 0, kEndOfTime);
    end = std::min(end, cadence_.first_at_or_after(time + 1));
  }
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(end - position_->next, 0, config_.batch_size));
}

// True: the agent is stopping.
bool GeneratorSource::wait_for_next(const Pace& pace, std::int64_t now) const {
  const std::chrono::microseconds time(pace.clock_time(cadence_.time_us(position_->next)) - now);
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(time);
  // The very first reading is not held back for company.
  const std::chrono::milliseconds shortest = position_->next == position_->first ? 1ms : kShortestWait;
  return host_.wait(std::clamp<std::chrono::milliseconds>(whole, shortest, kLongestWait));
}

void GeneratorSource::keep_house(const std::optional<Pace>& pace, std::int64_t now) {
  kept_house_us_ = now;
  if (!pace) return;
  const std::int64_t behind = pace->reading_time(now) - cadence_.time_us(position_->next);
  host_.gauge("behind_seconds", static_cast<double>(std::max<std::int64_t>(behind, 0)) * 1e-6);
}

// What was handed on, for an audit. Microseconds survive in a double until the year 2200.
void GeneratorSource::show_window(std::int64_t now) {
  shown_us_ = now;
  host_.gauge("first_reading_seconds", static_cast<double>(cadence_.time_us(position_->first)) / 1e6);
  host_.gauge("next_reading_seconds", static_cast<double>(cadence_.time_us(position_->next)) / 1e6);
}

// On the ticker's thread while the source runs.
void GeneratorSource::store_position() {
  if (!file_ || !position_) return;
  const auto acked = static_cast<std::int64_t>(host_.acked());
  const generator::Position safe{position_->first, std::max(acked, position_->first)};
  if (acked == 0 || safe == stored_) return;
  file_->store(safe);
  stored_ = safe;
}

std::string GeneratorSource::series() const {
  return "generator seed " + std::to_string(config_.seed) + " customers " + std::to_string(config_.customers) +
         " interval_us " + std::to_string(cadence_.interval_us) + " start " + config_.start;
}
